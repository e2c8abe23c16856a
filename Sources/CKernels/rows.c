#include "CKernels.h"
#include "lanes.h"
#include "rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma clang fp contract(off)

#define SUFFIX _plain
#include "rows_body.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define SUFFIX _avx2
#include "rows_body.h"
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2"))), apply_to = function)
#define SUFFIX _avx512
#include "rows_body.h"
#pragma clang attribute pop
#endif

void vk_layer_norm(const float *x, long rows, long c, float eps, const float *w, const float *b, float *y) {
  DISPATCH(layer_norm, x, rows, c, eps, w, b, 0, y);
}
void vk_layer_norm_modulated(const float *x, long rows, long c, float eps, const float *scale, const float *shift, float *y) {
  DISPATCH(layer_norm, x, rows, c, eps, scale, shift, 1, y);
}
void vk_rms_norm(const float *x, long rows, long c, float eps, const float *w, float *y) {
  DISPATCH(rms_norm, x, rows, c, eps, w, y);
}
void vk_gelu_tanh(float *x, long count) { DISPATCH(gelu, x, count); }
void vk_silu(const float *x, long count, float *y) { DISPATCH(silu, x, count, y); }
void vk_softmax_rows(float *x, long rows, long c) { DISPATCH(softmax_rows, x, rows, c); }
void vk_softmax_row(float *x, long c, double *entropy) { DISPATCH(softmax_row, x, c, entropy); }
void vk_add_gated(float *x, const float *y, const float *gamma, long rows, long c) { DISPATCH(add_gated, x, y, gamma, rows, c); }
void vk_l2_normalise(float *x, long rows, long d, long ld, float factor) { DISPATCH(l2_normalise, x, rows, d, ld, factor); }
void vk_add_double(double *to, const float *from, float weight, long count) { DISPATCH(add_double, to, from, weight, count); }
void vk_add_signed(const float *x, long ldx, long rows, long count, const float *signs, long sign_count, float *sums) {
  DISPATCH(add_signed, x, ldx, rows, count, signs, sign_count, sums);
}

void vk_multiply(float *x, const float *y, long count) { DISPATCH(multiply, x, y, count); }
void vk_rope(float *x, long rows, long d, const float *cosines, const float *sines) { DISPATCH(rope, x, rows, d, cosines, sines); }
void vk_group_sums(const float *x, long pixels, long c, long groups, const double *mean, double *sums) {
  DISPATCH(group_sums, x, pixels, c, groups, mean, sums);
}
void vk_scale_shift(const float *x, long pixels, long c, const float *scale, const float *shift, int silu, float *y) {
  DISPATCH(scale_shift, x, pixels, c, scale, shift, silu, y);
}

void vk_add_rows(const float *x, long rows, long d, const int32_t *slots, const float *coefficients, float *sums) {
  DISPATCH(add_rows, x, rows, d, slots, coefficients, sums);
}

int vk_all_finite(const float *x, long count) {
  int finite;
  DISPATCH(all_finite, x, count, &finite);
  return finite;
}
long vk_count_at_least(const float *x, long count, float limit) {
  long reached;
  DISPATCH(count_at_least, x, count, limit, &reached);
  return reached;
}
long vk_places_at_least(const float *x, long count, float limit, int32_t *places) {
  long reached;
  DISPATCH(places_at_least, x, count, limit, places, &reached);
  return reached;
}
void vk_philox(uint64_t seed, uint32_t c0, const uint32_t *c1, uint32_t c2, uint32_t c3, long count, uint32_t *words) {
  DISPATCH(philox, seed, c0, c1, c2, c3, count, words);
}
