// Internal: the row kernels that attention.c shares.
#pragma once
void vk_softmax_row(float *x, long c, double *entropy);
void vk_add_double(double *to, const float *from, float weight, long count);
