// Attention in products of bfloat16 pairs (AVX512-BF16): what goes into a product is rounded, sums are float32. A row's
// softmax is e^(score - largest), rounded on its way into the second product, whose result is divided by the float32 sum.
#include "attention.h"
#include "dots.h"
#include <string.h>

enum { LONGEST_RUN = 2048 };  // keys of one run of the second product: its piece of a panel stays in the second-level cache

static long pairs_of(long count) { return (count + 1) / 2; }
// Numbers are rounded sixteen at a time.
static long room_pairs(long count) { return (long)rounded(count) / 2; }
static size_t key_panel_pairs(long d) { return (size_t)room_pairs(d) * VK_PANEL; }
static size_t value_panel_pairs(long total) { return (size_t)pairs_of(total) * VK_PANEL; }

size_t vk_dots_key_count(long d, long total) { return (size_t)panels_of(total) * key_panel_pairs(d); }
size_t vk_dots_value_count(long d, long total) { return (size_t)panels_of(d) * value_panel_pairs(total); }
size_t vk_dots_row_count(long count) { return (size_t)TILE * (size_t)room_pairs(count); }

#if defined(__x86_64__)
#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target(VK_AVX512_BFLOAT16))), apply_to = function)

ALWAYS __mmask16 lanes_of(long left) { return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff); }

// K rows of both segments in pairs of channels: P[key / 32][D / 2][key % 32]. `room` is of 4 rows, as long as
// a multiple of 16.
static void pack_keys(const vk_attention *a, uint32_t *panels, float *room) {
  const long total = a->history + a->current, d = a->d, width = (long)rounded(d);
  for (long key = 0; key < panels_of(total) * VK_PANEL; key += 4) {
    uint32_t *to = panels + (size_t)(key / VK_PANEL) * key_panel_pairs(d) + key % VK_PANEL;
    const float *rows[4];
    for (long j = 0; j < 4; j++) {
      float *own = room + j * width;
      rows[j] = own;
      if (key + j < total) rows[j] = row_of(a, a->history_k, a->current_k, key + j, own);
      else memset(own, 0, sizeof(float) * (size_t)d);
    }
    for (long i = 0; i < d; i += 16) vk_round_four(rows, i, lanes_of(d - i), to + i / 2 * VK_PANEL, VK_PANEL);
  }
}

// V rows of both segments in pairs of keys: P[channel / 32][key / 2][channel % 32]. `room` is of 2 rows.
static void pack_values(const vk_attention *a, uint32_t *panels, float *room) {
  const long total = a->history + a->current, d = a->d, width = (long)rounded(d);
  uint16_t order[32];
  for (int i = 0; i < 32; i++) order[i] = (uint16_t)(i / 2 + i % 2 * 16);
  const __m512i interleaved = _mm512_loadu_si512(order);
  for (long key = 0; key < total; key += 2) {
    const float *first = row_of(a, a->history_v, a->current_v, key, room), *second = room + width;
    if (key + 1 < total) second = row_of(a, a->history_v, a->current_v, key + 1, room + width);
    else memset(room + width, 0, sizeof(float) * (size_t)d);
    for (long i = 0; i < panels_of(d) * VK_PANEL; i += 16) {
      const __mmask16 mask = d - i > 0 ? lanes_of(d - i) : 0;
      const __m512 x = _mm512_maskz_loadu_ps(mask, first + i), y = _mm512_maskz_loadu_ps(mask, second + i);
      uint32_t *panel = panels + (size_t)(i / VK_PANEL) * value_panel_pairs(total);
      _mm512_storeu_si512(panel + key / 2 * VK_PANEL + i % VK_PANEL,
                          _mm512_permutexvar_epi16(interleaved, (__m512i)_mm512_cvtne2ps_pbh(y, x)));
    }
  }
}

// e^x for x <= 0, relative error below 2^-13: 2^n times a polynomial in the rest, which lies within a half of 0. NaN
// for NaN: a maximum with one is its second operand.
ALWAYS __m512 exponential(__m512 x) {
  const __m512 t = _mm512_mul_ps(_mm512_max_ps(_mm512_set1_ps(-104), x), _mm512_set1_ps(1.44269504f));
  const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(t, n);
  __m512 p = _mm512_set1_ps(0.0551716697f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.242611130f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693260986f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.999928073f));
  return _mm512_scalef_ps(p, n);
}

// Four rows of scores to pairs of e^(score - largest), rounded, and the inverses of their sums.
ALWAYS void soften_four(const float *const rows[4], long total, uint32_t *to, float *inverses) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 largest[4], sum[4];
  UNROLL for (int r = 0; r < 4; r++) { largest[r] = lowest; sum[r] = _mm512_setzero_ps(); }
  for (long i = 0; i < total; i += 16) {
    const __mmask16 mask = lanes_of(total - i);
    UNROLL for (int r = 0; r < 4; r++)
      largest[r] = _mm512_max_ps(largest[r], _mm512_mask_loadu_ps(lowest, mask, rows[r] + i));
  }
  UNROLL for (int r = 0; r < 4; r++) largest[r] = _mm512_set1_ps(_mm512_reduce_max_ps(largest[r]));
  for (long i = 0; i < total; i += 16) {
    const __mmask16 mask = lanes_of(total - i);
    __m256i x[4];
    UNROLL for (int r = 0; r < 4; r++) {
      __m512 e = exponential(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, rows[r] + i), largest[r]));
      e = _mm512_maskz_mov_ps(mask, e);
      sum[r] = _mm512_add_ps(sum[r], e);
      x[r] = (__m256i)_mm512_cvtneps_pbh(e);
    }
    vk_store_four(x, to + i / 2 * TILE, TILE);
  }
  for (int r = 0; r < 4; r++) inverses[r] = 1 / _mm512_reduce_add_ps(sum[r]);
}

void vk_dots_pack(const vk_attention *a, uint32_t *keys, uint32_t *values, float *room) {
  pack_keys(a, keys, room);
  pack_values(a, values, room);
}

// Of four rows from r on, those that are missing repeat the last one.
static int row_or_last(int r, int rows) { return r < rows ? r : rows - 1; }

void vk_dots_scores(const vk_attention *a, long first, int rows, const uint32_t *keys, uint32_t *queries, float *scores) {
  const long total = a->history + a->current, d = a->d;
  for (int r = 0; r < rows; r += 4) {
    const float *from[4];
    for (int j = 0; j < 4; j++) from[j] = a->q + (first + row_or_last(r + j, rows)) * a->q_stride;
    for (long i = 0; i < d; i += 16) vk_round_four(from, i, lanes_of(d - i), queries + i / 2 * TILE + r, TILE);
  }
  for (long p = 0; p < panels_of(total); p++) {
    const long columns = total - p * VK_PANEL < VK_PANEL ? total - p * VK_PANEL : VK_PANEL;
    const uint32_t *panel = keys + (size_t)p * key_panel_pairs(d);
    vk_dots(rows, queries, TILE, pairs_of(d), (const uint16_t *)panel, scores + p * VK_PANEL, total, columns, 0);
  }
}

void vk_dots_soften(const float *scores, int rows, long total, uint32_t *softened, float *inverses) {
  for (int r = 0; r < rows; r += 4) {
    const float *from[4];
    for (int j = 0; j < 4; j++) from[j] = scores + row_or_last(r + j, rows) * total;
    soften_four(from, total, softened + r, inverses + r);
  }
}

void vk_dots_out(const vk_attention *a, long first, int rows, const uint32_t *values, const uint32_t *softened,
                 const float *inverses) {
  const long total = a->history + a->current, d = a->d;
  float *out = a->out + first * a->out_stride;
  for (long key = 0; key < total; key += LONGEST_RUN) {
    const long count = total - key < LONGEST_RUN ? total - key : LONGEST_RUN;
    for (long p = 0; p < panels_of(d); p++) {
      const long columns = d - p * VK_PANEL < VK_PANEL ? d - p * VK_PANEL : VK_PANEL;
      const uint32_t *run = values + (size_t)p * value_panel_pairs(total) + (size_t)(key / 2 * VK_PANEL);
      vk_dots(rows, softened + key / 2 * TILE, TILE, pairs_of(count), (const uint16_t *)run, out + p * VK_PANEL,
              a->out_stride, columns, key > 0);
    }
  }
  for (int r = 0; r < rows; r++)
    for (long i = 0; i < d; i++) out[r * a->out_stride + i] *= inverses[r];
}
#pragma clang attribute pop
#else
void vk_dots_pack(const vk_attention *a, uint32_t *keys, uint32_t *values, float *room) {
  (void)a, (void)keys, (void)values, (void)room;
}
void vk_dots_scores(const vk_attention *a, long first, int rows, const uint32_t *keys, uint32_t *queries, float *scores) {
  (void)a, (void)first, (void)rows, (void)keys, (void)queries, (void)scores;
}
void vk_dots_soften(const float *scores, int rows, long total, uint32_t *softened, float *inverses) {
  (void)scores, (void)rows, (void)total, (void)softened, (void)inverses;
}
void vk_dots_out(const vk_attention *a, long first, int rows, const uint32_t *values, const uint32_t *softened,
                 const float *inverses) {
  (void)a, (void)first, (void)rows, (void)values, (void)softened, (void)inverses;
}
#endif
