// 3x3 convolution, stride 1, zero padding 1, by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, 2016): tiles of
// 2x2 pixels from 4x4, 16 products a tile and pair of channels in place of 36. The products are 16 matrix products of
// [tiles, inputs] by [inputs, outputs] on the packed kernels.
// F(4x4, 3x3) was tried: an eighth faster on a decoder, at 2.25 times the memory and ten times the rounding error.
#include "CKernels.h"
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

size_t vk_winograd_scratch_bytes(int rows, long inputs, long outputs, long tiles) {
  size_t rounded = rows == VK_ROWS_ROUNDED ? vk_packed_rows_bytes(rows, tiles, inputs) : 0;
  return VK_WINOGRAD_PRODUCTS * (size_t)tiles * (size_t)(inputs + outputs) * sizeof(float) + rounded;
}

void vk_winograd_run(const vk_winograd *w, long first_tile, long last_tile, void *scratch) {
  const long count = last_tile - first_tile, blocks = vk_block_count(count);
  if (count <= 0) return;
  float *v = scratch, *m = v + VK_WINOGRAD_PRODUCTS * count * w->inputs;
  void *rounded = m + VK_WINOGRAD_PRODUCTS * count * w->outputs;
  const int isa = vk_isa();
#if defined(__x86_64__)
  if (isa == 2) winograd_input_avx512(w, first_tile, count, v);
  else if (isa == 1) winograd_input_avx2(w, first_tile, count, v);
  else
#endif
    winograd_input_plain(w, first_tile, count, v);
  for (long k = 0; k < VK_WINOGRAD_PRODUCTS; k++) {
    const float *tiles = v + k * count * w->inputs;
    if (w->rows == VK_ROWS_ROUNDED) vk_pack_rows(w->rows, tiles, w->inputs, count, w->inputs, 0, blocks, rounded);
    const vk_product product = {
        .a = w->rows == VK_ROWS_ROUNDED ? rounded : (const void *)tiles, .rows = w->rows, .lda = w->inputs, .m = count,
        .k = w->inputs, .panels = w->weights[k].panels, .format = w->weights[k].format, .n = w->outputs, .bias = NULL,
        .c = m + k * count * w->outputs, .ldc = w->outputs};
    vk_multiply_panels(&product, 0, blocks, 0, (w->outputs + VK_PANEL - 1) / VK_PANEL);
  }
#if defined(__x86_64__)
  if (isa == 2) winograd_output_avx512(w, m, first_tile, count);
  else if (isa == 1) winograd_output_avx2(w, m, first_tile, count);
  else
#endif
    winograd_output_plain(w, m, first_tile, count);
}
