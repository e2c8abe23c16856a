// Packing for gemm.c: weights into panels, once; rows of A, which would be read as twelve streams whose lines fall into the
// same few sets of the cache when K is a power of two, into blocks A[M/12][K][12] of one.
#include "CKernels.h"
#include "dots.h"
#include "panels.h"

size_t vk_panel_bytes(int format, long n, long k) {
  return (size_t)((n + VK_PANEL - 1) / VK_PANEL) * panel_values(format, k) * element_bytes(format);
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
    uint16_t *panel = panels + (size_t)p * panel_values(VK_BFLOAT16, k);
    for (long j = 0; j < VK_PANEL; j++) {
      const float *row = p * VK_PANEL + j < n ? w + (size_t)(p * VK_PANEL + j) * ldw : NULL;
      for (long i = 0; i < even(k); i++) {
        uint32_t bits = 0;
        if (row && i < k) memcpy(&bits, row + i, sizeof bits);
        panel[(i / 2 * VK_PANEL + j) * 2 + i % 2] = (uint16_t)(bits >> 16);
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
    const char *panel = (const char *)panels + (size_t)(row / VK_PANEL) * panel_values(format, k) * element_bytes(format);
    for (long i = 0; i < k; i++) w[(size_t)row * k + i] = weight_at(format, panel, i, row % VK_PANEL);
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

long vk_block_count(long m) { return m > 0 ? (m + LARGEST_BLOCK - 1) / LARGEST_BLOCK : 0; }

long vk_block_rows(long m) {
  long blocks = vk_block_count(m);
  return blocks ? (m + blocks - 1) / blocks : 1;
}

size_t vk_packed_rows_bytes(int rows, long m, long k) {
  size_t values = (size_t)vk_block_count(m) * (size_t)vk_block_rows(m);
  return rows == VK_ROWS_ROUNDED ? values * (size_t)even(k) * sizeof(uint16_t) : values * (size_t)k * sizeof(float);
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target(VK_AVX512_BFLOAT16))), apply_to = function)
static void round_block(const float *a, long lda, int rows, long k, uint32_t *to, long stride) {
  int r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *const from[4] = {a + r * lda, a + (r + 1) * lda, a + (r + 2) * lda, a + (r + 3) * lda};
    for (long i = 0; i + 16 <= k; i += 16) vk_round_four(from, i, 0xffff, to + i / 2 * stride + r, stride);
  }
  for (int row = 0; row < rows; row++)
    for (long i = row < r ? k / 16 * 16 : 0; i < k; i += 16) {
      __mmask16 mask = (__mmask16)(k - i < 16 ? (1u << (k - i)) - 1 : 0xffff);
      uint32_t pairs[8];
      _mm256_storeu_si256((__m256i *)pairs, (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, a + row * lda + i)));
      for (long p = 0; p < 8 && i + 2 * p < k; p++) to[(i / 2 + p) * stride + row] = pairs[p];
    }
}
#pragma clang attribute pop
#endif

static void pack_block(const float *a, long lda, int rows, long k, float *to, long stride) {
  int r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *const from[4] = {a + r * lda, a + (r + 1) * lda, a + (r + 2) * lda, a + (r + 3) * lda};
    long i = 0;
    for (; i + 4 <= k; i += 4) turn_four(from, i, to + i * stride + r, stride);
    for (; i < k; i++)
      for (int j = 0; j < 4; j++) to[i * stride + r + j] = from[j][i];
  }
  for (; r < rows; r++)
    for (long i = 0; i < k; i++) to[i * stride + r] = a[r * lda + i];
}

void vk_pack_rows(int rows, const float *a, long lda, long m, long k, long first_block, long last_block, void *to) {
  long each = vk_block_rows(m);
  for (long block = first_block; block < last_block; block++) {
    long row = block * each;
    int count = (int)(m - row < each ? m - row : each);
    if (rows == VK_ROWS_PACKED) pack_block(a + row * lda, lda, count, k, (float *)to + row * k, each);
#if defined(__x86_64__)
    else if (vk_has_bfloat16_dots()) round_block(a + row * lda, lda, count, k, (uint32_t *)to + row * (even(k) / 2), each);
#endif
  }
}

