// 3x3 convolution, stride 1, zero padding 1, by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, 2016): tiles of
// 2x2 pixels from 4x4, 16 products a tile and pair of channels in place of 36. The products are 16 matrix products of
// [tiles, inputs] by [inputs, outputs] on the packed kernels.
#include "CKernels.h"
#include <stdlib.h>
#include <string.h>

#pragma clang fp contract(off)
#pragma clang diagnostic ignored "-Wpsabi"
typedef float v16 __attribute__((ext_vector_type(16)));
#define HELPERS(suffix)                                                                                                \
  static inline __attribute__((always_inline)) v16 load##suffix(const float *p) { v16 x; memcpy(&x, p, sizeof x); return x; } \
  static inline __attribute__((always_inline)) void store##suffix(float *p, v16 x) { memcpy(p, &x, sizeof x); }

HELPERS(_plain)
#define SUFFIX _plain
#include "winograd_body.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
HELPERS(_avx2)
#define SUFFIX _avx2
#include "winograd_body.h"
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2"))), apply_to = function)
HELPERS(_avx512)
#define SUFFIX _avx512
#include "winograd_body.h"
#pragma clang attribute pop
#endif

void vk_winograd_weights(const float *g, long outputs, long inputs, float *u) {
  const long step = outputs * inputs;
  for (long pair = 0; pair < step; pair++, g += 9, u++) {
    double t[4][3];
    for (int x = 0; x < 3; x++) {
      double a = g[x], b = g[3 + x], c = g[6 + x];
      t[0][x] = a;
      t[1][x] = (a + b + c) / 2;
      t[2][x] = (a - b + c) / 2;
      t[3][x] = c;
    }
    for (int y = 0; y < 4; y++) {
      double a = t[y][0], b = t[y][1], c = t[y][2];
      u[(4 * y) * step] = (float)a;
      u[(4 * y + 1) * step] = (float)((a + b + c) / 2);
      u[(4 * y + 2) * step] = (float)((a - b + c) / 2);
      u[(4 * y + 3) * step] = (float)c;
    }
  }
}

size_t vk_winograd_scratch_count(long inputs, long outputs, long tiles) {
  return (size_t)VK_WINOGRAD_PRODUCTS * (size_t)tiles * (size_t)(inputs + outputs);
}

void vk_winograd_run(const vk_winograd *w, long first_tile, long last_tile, float *scratch) {
  const long count = last_tile - first_tile;
  if (count <= 0) return;
  float *v = scratch, *m = v + VK_WINOGRAD_PRODUCTS * count * w->inputs;
  const int isa = vk_isa();
#if defined(__x86_64__)
  if (isa == 2) winograd_input_avx512(w, first_tile, count, v);
  else if (isa == 1) winograd_input_avx2(w, first_tile, count, v);
  else
#endif
    winograd_input_plain(w, first_tile, count, v);
  const size_t panels = vk_packed_count(w->outputs, w->inputs);
  for (long k = 0; k < VK_WINOGRAD_PRODUCTS; k++)
    vk_gemm(v + k * count * w->inputs, w->inputs, count, w->inputs, w->panels + k * panels, w->outputs, NULL,
            m + k * count * w->outputs, w->outputs, 0, (w->outputs + VK_PANEL - 1) / VK_PANEL);
#if defined(__x86_64__)
  if (isa == 2) winograd_output_avx512(w, m, first_tile, count);
  else if (isa == 1) winograd_output_avx2(w, m, first_tile, count);
  else
#endif
    winograd_output_plain(w, m, first_tile, count);
}
