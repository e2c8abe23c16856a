// Internal: products of bfloat16 pairs (AVX512-BF16), from rows packed in pairs: pair p of row r at a[p * stride + r].
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define VK_AVX512 "avx512f,avx512vl,avx512bw,avx512dq,fma,avx2"
#define VK_AVX512_BFLOAT16 VK_AVX512 ",avx512bf16"
#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

// C [rows, columns] of up to 12 rows and one panel of pairs; with `continues`, added to what stands there.
void vk_dots(int rows, const uint32_t *a, long stride, long pairs, const uint16_t *panel, float *c, long ldc, long columns,
             int continues);

#pragma clang attribute push(__attribute__((target(VK_AVX512_BFLOAT16))), apply_to = function)
// Eight pairs of four rows each, a row's behind one another, to eight pairs of the rows side by side.
ALWAYS void vk_store_four(const __m256i x[4], uint32_t *to, long stride) {
  __m256i t0 = _mm256_unpacklo_epi32(x[0], x[1]), t1 = _mm256_unpackhi_epi32(x[0], x[1]);
  __m256i t2 = _mm256_unpacklo_epi32(x[2], x[3]), t3 = _mm256_unpackhi_epi32(x[2], x[3]);
  __m256i y[4] = {_mm256_unpacklo_epi64(t0, t2), _mm256_unpackhi_epi64(t0, t2), _mm256_unpacklo_epi64(t1, t3),
                  _mm256_unpackhi_epi64(t1, t3)};
  UNROLL for (int p = 0; p < 4; p++) {
    _mm_storeu_si128((__m128i *)(to + p * stride), _mm256_castsi256_si128(y[p]));
    _mm_storeu_si128((__m128i *)(to + (p + 4) * stride), _mm256_extracti128_si256(y[p], 1));
  }
}
// Four rows' sixteen numbers from i each, as far as `mask` goes, rounded: their eight pairs side by side.
ALWAYS void vk_round_four(const float *const from[4], long i, __mmask16 mask, uint32_t *to, long stride) {
  __m256i x[4];
  UNROLL for (int r = 0; r < 4; r++) x[r] = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from[r] + i));
  vk_store_four(x, to, stride);
}
#pragma clang attribute pop
#endif
