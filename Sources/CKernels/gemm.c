// Packed-weight matrix product. Panels of 32 output columns; a block of up to 12 rows (AVX-512) or 6 rows x 16
// columns (AVX2) of accumulators stays in registers while k runs. No blocking over k: one panel of K x 32 floats
// fits the second-level cache for every K in use. Each output is one chain of fused multiply-adds over ascending k.
// Weights in bfloat16 are widened as they are loaded: the same arithmetic, so the same bits as from float32 panels.
#include "CKernels.h"
#include <math.h>
#include <string.h>

static inline float weight_at(int format, const void *panel, size_t index) {
  if (format == VK_FLOAT32) return ((const float *)panel)[index];
  uint32_t bits = (uint32_t)((const uint16_t *)panel)[index] << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void vk_pack(const float *w, long ldw, long n, long k, float *panels) {
  for (long p = 0; p * VK_PANEL < n; p++) {
    float *panel = panels + (size_t)p * VK_PANEL * k;
    long columns = n - p * VK_PANEL < VK_PANEL ? n - p * VK_PANEL : VK_PANEL;
    for (long j = 0; j < columns; j++) {
      const float *row = w + (size_t)(p * VK_PANEL + j) * ldw;
      for (long i = 0; i < k; i++) panel[i * VK_PANEL + j] = row[i];
    }
    for (long j = columns; j < VK_PANEL; j++)
      for (long i = 0; i < k; i++) panel[i * VK_PANEL + j] = 0;
  }
}

void vk_pack_bfloat16(const float *w, long ldw, long n, long k, uint16_t *panels) {
  for (long p = 0; p * VK_PANEL < n; p++) {
    uint16_t *panel = panels + (size_t)p * VK_PANEL * k;
    for (long j = 0; j < VK_PANEL; j++) {
      const float *row = p * VK_PANEL + j < n ? w + (size_t)(p * VK_PANEL + j) * ldw : NULL;
      for (long i = 0; i < k; i++) {
        uint32_t bits = 0;
        if (row) memcpy(&bits, row + i, sizeof bits);
        panel[i * VK_PANEL + j] = (uint16_t)(bits >> 16);
      }
    }
  }
}

int vk_fits_bfloat16(const float *x, long count) {
  uint32_t low = 0;
  for (long i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    low |= bits;
  }
  return (low & 0xffff) == 0;
}

void vk_unpack(int format, const void *panels, long n, long k, float *w) {
  for (long row = 0; row < n; row++) {
    size_t start = (size_t)(row / VK_PANEL) * VK_PANEL * k + row % VK_PANEL;
    for (long i = 0; i < k; i++) w[(size_t)row * k + i] = weight_at(format, panels, start + (size_t)i * VK_PANEL);
  }
}

void vk_pack_transposed(const float *wt, long ldw, long n, long k, float *panels) {
  for (long p = 0; p * VK_PANEL < n; p++) {
    float *panel = panels + (size_t)p * VK_PANEL * k;
    long columns = n - p * VK_PANEL < VK_PANEL ? n - p * VK_PANEL : VK_PANEL;
    for (long i = 0; i < k; i++) {
      const float *row = wt + (size_t)i * ldw + p * VK_PANEL;
      float *to = panel + i * VK_PANEL;
      for (long j = 0; j < columns; j++) to[j] = row[j];
      for (long j = columns; j < VK_PANEL; j++) to[j] = 0;
    }
  }
}

// ---- Plain C: the reference and the fallback (on arm64 fmaf is one instruction and the inner loop vectorises).
static void gemm_plain(int format, const float *a, long lda, long m, long k, const void *panel, long columns,
                       const float *bias, float *c, long ldc) {
  float weights[VK_PANEL];
  for (long r = 0; r < m; r++) {
    float sum[VK_PANEL];
    for (int j = 0; j < VK_PANEL; j++) sum[j] = 0;
    for (long i = 0; i < k; i++) {
      float x = a[r * lda + i];
      const float *row = (const float *)panel + i * VK_PANEL;
      if (format != VK_FLOAT32) {
        for (int j = 0; j < VK_PANEL; j++) weights[j] = weight_at(format, panel, (size_t)i * VK_PANEL + j);
        row = weights;
      }
      for (int j = 0; j < VK_PANEL; j++) sum[j] = __builtin_fmaf(x, row[j], sum[j]);
    }
    for (long j = 0; j < columns; j++) c[r * ldc + j] = bias ? sum[j] + bias[j] : sum[j];
  }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
ALWAYS __m256 load_avx2(const int format, const void *panel, size_t index) {
  if (format == VK_FLOAT32) return _mm256_loadu_ps((const float *)panel + index);
  __m128i half = _mm_loadu_si128((const __m128i *)((const uint16_t *)panel + index));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
ALWAYS void rows_avx2(const int format, const int MR, const float *a, long lda, long k, const void *b, int half, float *c,
                      long ldc) {
  __m256 c0[6], c1[6];
  UNROLL for (int r = 0; r < MR; r++) { c0[r] = _mm256_setzero_ps(); c1[r] = _mm256_setzero_ps(); }
  for (long i = 0; i < k; i++) {
    size_t index = (size_t)i * VK_PANEL + 16 * half;
    __m256 b0 = load_avx2(format, b, index), b1 = load_avx2(format, b, index + 8);
    UNROLL for (int r = 0; r < MR; r++) {
      __m256 x = _mm256_broadcast_ss(a + r * lda + i);
      c0[r] = _mm256_fmadd_ps(x, b0, c0[r]);
      c1[r] = _mm256_fmadd_ps(x, b1, c1[r]);
    }
  }
  UNROLL for (int r = 0; r < MR; r++) {
    _mm256_storeu_ps(c + r * ldc + 16 * half, c0[r]);
    _mm256_storeu_ps(c + r * ldc + 16 * half + 8, c1[r]);
  }
}
ALWAYS void block_avx2(const int format, int rows, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  for (int half = 0; half < 2; half++) {
    switch (rows) {
      case 1: rows_avx2(format, 1, a, lda, k, b, half, c, ldc); break;
      case 2: rows_avx2(format, 2, a, lda, k, b, half, c, ldc); break;
      case 3: rows_avx2(format, 3, a, lda, k, b, half, c, ldc); break;
      case 4: rows_avx2(format, 4, a, lda, k, b, half, c, ldc); break;
      case 5: rows_avx2(format, 5, a, lda, k, b, half, c, ldc); break;
      default: rows_avx2(format, 6, a, lda, k, b, half, c, ldc); break;
    }
  }
}
static void float32_avx2(int rows, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  block_avx2(VK_FLOAT32, rows, a, lda, k, b, c, ldc);
}
static void bfloat16_avx2(int rows, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  block_avx2(VK_BFLOAT16, rows, a, lda, k, b, c, ldc);
}
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma,avx2"))), apply_to = function)
ALWAYS __m512 load_avx512(const int format, const void *panel, size_t index) {
  if (format == VK_FLOAT32) return _mm512_loadu_ps((const float *)panel + index);
  __m256i half = _mm256_loadu_si256((const __m256i *)((const uint16_t *)panel + index));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
ALWAYS void rows_avx512(const int format, const int MR, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  __m512 c0[12], c1[12];
  UNROLL for (int r = 0; r < MR; r++) { c0[r] = _mm512_setzero_ps(); c1[r] = _mm512_setzero_ps(); }
  for (long i = 0; i < k; i++) {
    size_t index = (size_t)i * VK_PANEL;
    __m512 b0 = load_avx512(format, b, index), b1 = load_avx512(format, b, index + 16);
    UNROLL for (int r = 0; r < MR; r++) {
      __m512 x = _mm512_set1_ps(a[r * lda + i]);
      c0[r] = _mm512_fmadd_ps(x, b0, c0[r]);
      c1[r] = _mm512_fmadd_ps(x, b1, c1[r]);
    }
  }
  UNROLL for (int r = 0; r < MR; r++) {
    _mm512_storeu_ps(c + r * ldc, c0[r]);
    _mm512_storeu_ps(c + r * ldc + 16, c1[r]);
  }
}
ALWAYS void block_avx512(const int format, int rows, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  switch (rows) {
    case 1: rows_avx512(format, 1, a, lda, k, b, c, ldc); break;
    case 2: rows_avx512(format, 2, a, lda, k, b, c, ldc); break;
    case 3: rows_avx512(format, 3, a, lda, k, b, c, ldc); break;
    case 4: rows_avx512(format, 4, a, lda, k, b, c, ldc); break;
    case 5: rows_avx512(format, 5, a, lda, k, b, c, ldc); break;
    case 6: rows_avx512(format, 6, a, lda, k, b, c, ldc); break;
    case 7: rows_avx512(format, 7, a, lda, k, b, c, ldc); break;
    case 8: rows_avx512(format, 8, a, lda, k, b, c, ldc); break;
    case 9: rows_avx512(format, 9, a, lda, k, b, c, ldc); break;
    case 10: rows_avx512(format, 10, a, lda, k, b, c, ldc); break;
    case 11: rows_avx512(format, 11, a, lda, k, b, c, ldc); break;
    default: rows_avx512(format, 12, a, lda, k, b, c, ldc); break;
  }
}
static void float32_avx512(int rows, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  block_avx512(VK_FLOAT32, rows, a, lda, k, b, c, ldc);
}
static void bfloat16_avx512(int rows, const float *a, long lda, long k, const void *b, float *c, long ldc) {
  block_avx512(VK_BFLOAT16, rows, a, lda, k, b, c, ldc);
}
#pragma clang attribute pop

// ---- Dot products of bfloat16 pairs (AVX512-BF16). The panels are the bfloat16 ones: two rows of 32 columns make pairs by
// a permutation. The rows of A are rounded beforehand (vk_round_rows); an odd last number has a zero beside it.
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16,fma,avx2"))), apply_to = function)
static void round_avx512bf16(const float *from, long count, uint16_t *to) {
  long i = 0;
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256((__m256i *)(to + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i)));
  if (i < count) {
    __mmask16 mask = (__mmask16)((1u << (count - i)) - 1);
    uint16_t last[16];
    _mm256_storeu_si256((__m256i *)last, (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from + i)));
    memcpy(to + i, last, sizeof(uint16_t) * (size_t)(count - i + (count & 1)));
  }
}
ALWAYS void rows_dots(const int MR, const uint16_t *a, long lda, long k, const uint16_t *b, float *c, long ldc) {
  static const uint16_t low[32] = {0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39,
                                   8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  const __m512i first = _mm512_loadu_si512(low), second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  __m512 c0[12], c1[12];
  UNROLL for (int r = 0; r < MR; r++) { c0[r] = _mm512_setzero_ps(); c1[r] = _mm512_setzero_ps(); }
  for (long i = 0; i < k; i += 2) {
    __m512i even = _mm512_loadu_si512(b + i * VK_PANEL);
    __m512i odd = i + 1 < k ? _mm512_loadu_si512(b + (i + 1) * VK_PANEL) : _mm512_setzero_si512();
    __m512bh b0 = (__m512bh)_mm512_permutex2var_epi16(even, first, odd);
    __m512bh b1 = (__m512bh)_mm512_permutex2var_epi16(even, second, odd);
    UNROLL for (int r = 0; r < MR; r++) {
      int pair;
      memcpy(&pair, a + r * lda + i, sizeof pair);
      __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
      c0[r] = _mm512_dpbf16_ps(c0[r], x, b0);
      c1[r] = _mm512_dpbf16_ps(c1[r], x, b1);
    }
  }
  UNROLL for (int r = 0; r < MR; r++) {
    _mm512_storeu_ps(c + r * ldc, c0[r]);
    _mm512_storeu_ps(c + r * ldc + 16, c1[r]);
  }
}
static void dots_avx512bf16(int rows, const uint16_t *a, long lda, long k, const uint16_t *b, float *c, long ldc) {
  switch (rows) {
    case 1: rows_dots(1, a, lda, k, b, c, ldc); break;
    case 2: rows_dots(2, a, lda, k, b, c, ldc); break;
    case 3: rows_dots(3, a, lda, k, b, c, ldc); break;
    case 4: rows_dots(4, a, lda, k, b, c, ldc); break;
    case 5: rows_dots(5, a, lda, k, b, c, ldc); break;
    case 6: rows_dots(6, a, lda, k, b, c, ldc); break;
    case 7: rows_dots(7, a, lda, k, b, c, ldc); break;
    case 8: rows_dots(8, a, lda, k, b, c, ldc); break;
    case 9: rows_dots(9, a, lda, k, b, c, ldc); break;
    case 10: rows_dots(10, a, lda, k, b, c, ldc); break;
    case 11: rows_dots(11, a, lda, k, b, c, ldc); break;
    default: rows_dots(12, a, lda, k, b, c, ldc); break;
  }
}
#pragma clang attribute pop

// Adds the bias, and moves a block that was computed beside its place.
static void finish_block(int rows, long columns, const float *from, long stride, const float *bias, float *c, long ldc) {
  if (!bias && from == c) return;
  for (int i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) c[i * ldc + j] = bias ? from[i * stride + j] + bias[j] : from[i * stride + j];
}

typedef void (*block_fn)(int, const float *, long, long, const void *, float *, long);
static void gemm_blocks(block_fn block, long most, const float *a, long lda, long m, long k, const void *panel,
                        long columns, const float *bias, float *c, long ldc) {
  long blocks = (m + most - 1) / most, per = (m + blocks - 1) / blocks;
  float spill[12 * VK_PANEL];
  for (long r = 0; r < m; r += per) {
    int rows = (int)(m - r < per ? m - r : per);
    float *to = columns == VK_PANEL ? c + r * ldc : spill;
    long stride = columns == VK_PANEL ? ldc : VK_PANEL;
    block(rows, a + r * lda, lda, k, panel, to, stride);
    finish_block(rows, columns, to, stride, bias, c + r * ldc, ldc);
  }
}
#endif

static void gemm(int format, const float *a, long lda, long m, long k, const void *panels, long n, const float *bias,
                 float *c, long ldc, long first_panel, long last_panel) {
  if (m <= 0) return;
  int isa = vk_isa();
  size_t each = format == VK_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
  for (long p = first_panel; p < last_panel; p++) {
    const void *panel = (const char *)panels + (size_t)p * VK_PANEL * k * each;
    long columns = n - p * VK_PANEL < VK_PANEL ? n - p * VK_PANEL : VK_PANEL;
    const float *panel_bias = bias ? bias + p * VK_PANEL : NULL;
    float *to = c + p * VK_PANEL;
#if defined(__x86_64__)
    if (isa > 0) {
      block_fn block = isa == 2 ? (format == VK_FLOAT32 ? float32_avx512 : bfloat16_avx512)
                                : (format == VK_FLOAT32 ? float32_avx2 : bfloat16_avx2);
      gemm_blocks(block, isa == 2 ? 12 : 6, a, lda, m, k, panel, columns, panel_bias, to, ldc);
      continue;
    }
#endif
    (void)isa;
    gemm_plain(format, a, lda, m, k, panel, columns, panel_bias, to, ldc);
  }
}

void vk_gemm(const float *a, long lda, long m, long k, const float *panels, long n, const float *bias, float *c, long ldc,
             long first_panel, long last_panel) {
  gemm(VK_FLOAT32, a, lda, m, k, panels, n, bias, c, ldc, first_panel, last_panel);
}

void vk_gemm_bfloat16(const float *a, long lda, long m, long k, const uint16_t *panels, long n, const float *bias, float *c,
                      long ldc, long first_panel, long last_panel) {
  gemm(VK_BFLOAT16, a, lda, m, k, panels, n, bias, c, ldc, first_panel, last_panel);
}

long vk_rounded_stride(long k) { return k + (k & 1); }

void vk_round_rows(const float *a, long lda, long m, long k, uint16_t *to) {
#if defined(__x86_64__)
  if (!vk_has_bfloat16_dots()) return;
  for (long r = 0; r < m; r++) round_avx512bf16(a + r * lda, k, to + r * vk_rounded_stride(k));
#endif
}

void vk_gemm_bfloat16_dots(const uint16_t *a, long m, long k, const uint16_t *panels, long n, const float *bias, float *c,
                           long ldc, long first_panel, long last_panel) {
#if defined(__x86_64__)
  if (!vk_has_bfloat16_dots() || m <= 0) return;
  long lda = vk_rounded_stride(k), blocks = (m + 11) / 12, per = (m + blocks - 1) / blocks;
  float spill[12 * VK_PANEL];
  for (long p = first_panel; p < last_panel; p++) {
    long columns = n - p * VK_PANEL < VK_PANEL ? n - p * VK_PANEL : VK_PANEL;
    for (long r = 0; r < m; r += per) {
      int rows = (int)(m - r < per ? m - r : per);
      float *out = c + r * ldc + p * VK_PANEL, *to = columns == VK_PANEL ? out : spill;
      long stride = columns == VK_PANEL ? ldc : VK_PANEL;
      dots_avx512bf16(rows, a + r * lda, lda, k, panels + (size_t)p * VK_PANEL * k, to, stride);
      finish_block(rows, columns, to, stride, bias ? bias + p * VK_PANEL : NULL, out, ldc);
    }
  }
#endif
}
