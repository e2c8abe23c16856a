// Packed-weight matrix product. Panels of 32 output columns; a block of up to 12 rows (AVX-512) or 6 rows x 16
// columns (AVX2) of accumulators stays in registers while k runs. No blocking over k: one panel of K x 32 floats
// fits the second-level cache for every K in use. Each output is one chain of fused multiply-adds over ascending k.
#include "CKernels.h"
#include <math.h>
#include <string.h>

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
static void gemm_plain(const float *a, long lda, long m, long k, const float *panel, long columns, const float *bias,
                       float *c, long ldc) {
  for (long r = 0; r < m; r++) {
    float sum[VK_PANEL];
    for (int j = 0; j < VK_PANEL; j++) sum[j] = 0;
    for (long i = 0; i < k; i++) {
      float x = a[r * lda + i];
      for (int j = 0; j < VK_PANEL; j++) sum[j] = __builtin_fmaf(x, panel[i * VK_PANEL + j], sum[j]);
    }
    for (long j = 0; j < columns; j++) c[r * ldc + j] = bias ? sum[j] + bias[j] : sum[j];
  }
}

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
static inline __attribute__((always_inline)) void rows_avx2(const int MR, const float *a, long lda, long k,
                                                            const float *b, float *c, long ldc) {
  __m256 c0[6], c1[6];
  _Pragma("clang loop unroll(full)") for (int r = 0; r < MR; r++) { c0[r] = _mm256_setzero_ps(); c1[r] = _mm256_setzero_ps(); }
  for (long i = 0; i < k; i++) {
    __m256 b0 = _mm256_loadu_ps(b + i * VK_PANEL), b1 = _mm256_loadu_ps(b + i * VK_PANEL + 8);
    _Pragma("clang loop unroll(full)") for (int r = 0; r < MR; r++) {
      __m256 x = _mm256_broadcast_ss(a + r * lda + i);
      c0[r] = _mm256_fmadd_ps(x, b0, c0[r]);
      c1[r] = _mm256_fmadd_ps(x, b1, c1[r]);
    }
  }
  _Pragma("clang loop unroll(full)") for (int r = 0; r < MR; r++) {
    _mm256_storeu_ps(c + r * ldc, c0[r]);
    _mm256_storeu_ps(c + r * ldc + 8, c1[r]);
  }
}
static void block_avx2(int rows, const float *a, long lda, long k, const float *b, float *c, long ldc) {
  for (int half = 0; half < 2; half++, b += 16, c += 16) {
    switch (rows) {
      case 1: rows_avx2(1, a, lda, k, b, c, ldc); break;
      case 2: rows_avx2(2, a, lda, k, b, c, ldc); break;
      case 3: rows_avx2(3, a, lda, k, b, c, ldc); break;
      case 4: rows_avx2(4, a, lda, k, b, c, ldc); break;
      case 5: rows_avx2(5, a, lda, k, b, c, ldc); break;
      default: rows_avx2(6, a, lda, k, b, c, ldc); break;
    }
  }
}
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma,avx2"))), apply_to = function)
static inline __attribute__((always_inline)) void rows_avx512(const int MR, const float *a, long lda, long k,
                                                              const float *b, float *c, long ldc) {
  __m512 c0[12], c1[12];
  _Pragma("clang loop unroll(full)") for (int r = 0; r < MR; r++) { c0[r] = _mm512_setzero_ps(); c1[r] = _mm512_setzero_ps(); }
  for (long i = 0; i < k; i++) {
    __m512 b0 = _mm512_loadu_ps(b + i * VK_PANEL), b1 = _mm512_loadu_ps(b + i * VK_PANEL + 16);
    _Pragma("clang loop unroll(full)") for (int r = 0; r < MR; r++) {
      __m512 x = _mm512_set1_ps(a[r * lda + i]);
      c0[r] = _mm512_fmadd_ps(x, b0, c0[r]);
      c1[r] = _mm512_fmadd_ps(x, b1, c1[r]);
    }
  }
  _Pragma("clang loop unroll(full)") for (int r = 0; r < MR; r++) {
    _mm512_storeu_ps(c + r * ldc, c0[r]);
    _mm512_storeu_ps(c + r * ldc + 16, c1[r]);
  }
}
static void block_avx512(int rows, const float *a, long lda, long k, const float *b, float *c, long ldc) {
  switch (rows) {
    case 1: rows_avx512(1, a, lda, k, b, c, ldc); break;
    case 2: rows_avx512(2, a, lda, k, b, c, ldc); break;
    case 3: rows_avx512(3, a, lda, k, b, c, ldc); break;
    case 4: rows_avx512(4, a, lda, k, b, c, ldc); break;
    case 5: rows_avx512(5, a, lda, k, b, c, ldc); break;
    case 6: rows_avx512(6, a, lda, k, b, c, ldc); break;
    case 7: rows_avx512(7, a, lda, k, b, c, ldc); break;
    case 8: rows_avx512(8, a, lda, k, b, c, ldc); break;
    case 9: rows_avx512(9, a, lda, k, b, c, ldc); break;
    case 10: rows_avx512(10, a, lda, k, b, c, ldc); break;
    case 11: rows_avx512(11, a, lda, k, b, c, ldc); break;
    default: rows_avx512(12, a, lda, k, b, c, ldc); break;
  }
}
#pragma clang attribute pop

typedef void (*block_fn)(int, const float *, long, long, const float *, float *, long);
static void gemm_blocks(block_fn block, long most, const float *a, long lda, long m, long k, const float *panel,
                        long columns, const float *bias, float *c, long ldc) {
  long blocks = (m + most - 1) / most, per = (m + blocks - 1) / blocks;
  float spill[12 * VK_PANEL];
  for (long r = 0; r < m; r += per) {
    int rows = (int)(m - r < per ? m - r : per);
    float *to = columns == VK_PANEL ? c + r * ldc : spill;
    long stride = columns == VK_PANEL ? ldc : VK_PANEL;
    block(rows, a + r * lda, lda, k, panel, to, stride);
    if (bias || to == spill)
      for (int i = 0; i < rows; i++)
        for (long j = 0; j < columns; j++) c[(r + i) * ldc + j] = bias ? to[i * stride + j] + bias[j] : to[i * stride + j];
  }
}
#endif

void vk_gemm(const float *a, long lda, long m, long k, const float *panels, long n, const float *bias, float *c, long ldc,
             long first_panel, long last_panel) {
  if (m <= 0) return;
  int isa = vk_isa();
  for (long p = first_panel; p < last_panel; p++) {
    const float *panel = panels + (size_t)p * VK_PANEL * k;
    long columns = n - p * VK_PANEL < VK_PANEL ? n - p * VK_PANEL : VK_PANEL;
    const float *panel_bias = bias ? bias + p * VK_PANEL : NULL;
    float *to = c + p * VK_PANEL;
#if defined(__x86_64__)
    if (isa == 2) { gemm_blocks(block_avx512, 12, a, lda, m, k, panel, columns, panel_bias, to, ldc); continue; }
    if (isa == 1) { gemm_blocks(block_avx2, 6, a, lda, m, k, panel, columns, panel_bias, to, ldc); continue; }
#endif
    (void)isa;
    gemm_plain(a, lda, m, k, panel, columns, panel_bias, to, ldc);
  }
}
