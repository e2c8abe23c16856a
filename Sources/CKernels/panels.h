// Internal: how panels of weights and blocks of rows lie (gemm.c says why).
#pragma once
#include "CKernels.h"
#include <string.h>

enum { LARGEST_BLOCK = 12 };

static inline long even(long k) { return k + (k & 1); }
static inline size_t element_bytes(int format) { return format == VK_FLOAT32 ? sizeof(float) : sizeof(uint16_t); }
static inline size_t panel_values(int format, long k) {
  return (size_t)VK_PANEL * (size_t)(format == VK_FLOAT32 ? k : even(k));
}

static inline float widened(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// Column j of the weights of input i, in one panel.
static inline float weight_at(int format, const void *panel, long i, long j) {
  if (format == VK_FLOAT32) return ((const float *)panel)[i * VK_PANEL + j];
  return widened(((const uint16_t *)panel)[(i / 2 * VK_PANEL + j) * 2 + i % 2]);
}

typedef float float4 __attribute__((ext_vector_type(4)));

// Four numbers from i on of four rows each, turned: four times the rows' numbers side by side, `stride` apart.
static inline void turn_four(const float *const from[4], long i, float *to, long stride) {
  float4 x[4];
  for (int j = 0; j < 4; j++) memcpy(&x[j], from[j] + i, sizeof x[j]);
  float4 t0 = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5), t1 = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
  float4 t2 = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5), t3 = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
  float4 y[4] = {__builtin_shufflevector(t0, t2, 0, 1, 4, 5), __builtin_shufflevector(t0, t2, 2, 3, 6, 7),
                 __builtin_shufflevector(t1, t3, 0, 1, 4, 5), __builtin_shufflevector(t1, t3, 2, 3, 6, 7)};
  for (int j = 0; j < 4; j++) memcpy(to + j * stride, &y[j], sizeof y[j]);
}
