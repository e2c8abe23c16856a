// The largest of a row of probabilities, and quadratic forms: what calibration measures.
#include "CKernels.h"
#include "lanes.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#pragma clang fp contract(off)

#define SUFFIX _plain
#include "measures_body.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define SUFFIX _avx2
#include "measures_body.h"
#pragma clang attribute pop
#define HAS_MASKS
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,popcnt"))), apply_to = function)
#define SUFFIX _avx512
#include "measures_body.h"
#pragma clang attribute pop
#endif

void vk_add_largest(const float *const *rows, const float *weights, long row_count, long count, const int32_t *keeps,
                    long keep_count, double *sums, float *room) {
  DISPATCH(add_largest, rows, weights, row_count, count, keeps, keep_count, sums, room);
}
void vk_add_each(const float *const *rows, long row_count, long count, float *sums) {
  DISPATCH(add_each, rows, row_count, count, sums);
}
void vk_quadratic_forms(const float *x, const float *y, long rows, long d, const double *matrix, double *forms,
                        double *room) {
  DISPATCH(quadratic_forms, x, y, rows, d, matrix, forms, room);
}
void vk_add_gram(const float *x, long ldx, long rows, long d, const double *weights, double *gram) {
  DISPATCH(add_gram, x, ldx, rows, d, weights, gram);
}
