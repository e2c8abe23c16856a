// Packed-weight matrix product. Panels of 32 output columns; a block of up to 12 rows (AVX-512) or 6 rows x 16
// columns (AVX2) of accumulators stays in registers while k runs. Rows of more than LONGEST_RUN numbers are taken in runs,
// so that a panel's piece stays in the second-level cache. Each output is one chain of fused multiply-adds over ascending k,
// whatever the runs: a later one begins with the sums of the earlier.
//
// Panels in bfloat16 hold pairs, P[N/32][K/2][32][2], as AVX512-BF16 wants them; float32 arithmetic gets both numbers of
// a pair by a shift and a mask: the same products, so the same bits as from float32 panels.
// Rows of A are read as they lie, or packed (pack.c).
#include "CKernels.h"
#include "dots.h"
#include "panels.h"

// Panels are read STEP_BYTES a step, a float32 row or a row of pairs. While one is multiplied, block by block, the next is
// brought into the second-level cache, each block's share of it; for a single block, what follows NEAR_BYTES on.
enum { LONGEST_RUN = 2048, STEP_BYTES = 128, NEAR_BYTES = 1024 };

// Where a block goes: 32 columns or, in the last panel, fewer; `bias` is added as the block is stored, or NULL. With
// `continues`, sums begin with what stands there.
typedef struct {
  float *c;
  long ldc, columns;
  const float *bias;
  int continues;
  const char *ahead;  // what AVX-512's kernels bring nearer, `ahead_step` bytes a step
  long ahead_step;
} destination;

// ---- Plain C: the reference and the fallback (on arm64 fmaf is one instruction and the inner loop vectorises).
// Row r's number i is at a[r * row_step + i * step].
static void block_plain(int format, int rows, const float *a, long row_step, long step, long k, const void *panel,
                        const destination *to) {
  float weights[VK_PANEL];
  for (long r = 0; r < rows; r++) {
    float sum[VK_PANEL];
    for (int j = 0; j < VK_PANEL; j++) sum[j] = to->continues && j < to->columns ? to->c[r * to->ldc + j] : 0;
    for (long i = 0; i < k; i++) {
      float x = a[r * row_step + i * step];
      const float *row = (const float *)panel + i * VK_PANEL;
      if (format != VK_FLOAT32) {
        for (int j = 0; j < VK_PANEL; j++) weights[j] = weight_at(format, panel, i, j);
        row = weights;
      }
      for (int j = 0; j < VK_PANEL; j++) sum[j] = __builtin_fmaf(x, row[j], sum[j]);
    }
    for (long j = 0; j < to->columns; j++) to->c[r * to->ldc + j] = to->bias ? sum[j] + to->bias[j] : sum[j];
  }
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
// Stores half a row of a block: `c` 8 columns from `first` and 8 more.
ALWAYS void store_avx2(const destination *to, int r, int first, __m256 c0, __m256 c1) {
  float *at = to->c + r * to->ldc + first;
  if (to->columns == VK_PANEL) {
    if (to->bias) {
      c0 = _mm256_add_ps(c0, _mm256_loadu_ps(to->bias + first));
      c1 = _mm256_add_ps(c1, _mm256_loadu_ps(to->bias + first + 8));
    }
    _mm256_storeu_ps(at, c0);
    _mm256_storeu_ps(at + 8, c1);
    return;
  }
  float sum[16];
  _mm256_storeu_ps(sum, c0);
  _mm256_storeu_ps(sum + 8, c1);
  for (long j = 0; j < 16 && first + j < to->columns; j++) at[j] = to->bias ? sum[j] + to->bias[first + j] : sum[j];
}
ALWAYS __m256 start_avx2(const destination *to, int r, int first) {
  const float *at = to->c + r * to->ldc + first;
  if (!to->continues) return _mm256_setzero_ps();
  if (first + 8 <= to->columns) return _mm256_loadu_ps(at);
  float sum[8] = {0};
  for (long j = 0; j < 8 && first + j < to->columns; j++) sum[j] = at[j];
  return _mm256_loadu_ps(sum);
}
ALWAYS void step_avx2(const int MR, const float *a, long row_step, __m256 b0, __m256 b1, __m256 *c0, __m256 *c1) {
  UNROLL for (int r = 0; r < MR; r++) {
    __m256 x = _mm256_broadcast_ss(a + r * row_step);
    c0[r] = _mm256_fmadd_ps(x, b0, c0[r]);
    c1[r] = _mm256_fmadd_ps(x, b1, c1[r]);
  }
}
ALWAYS void rows_avx2(const int format, const int packed, const int MR, const float *a, long stride, long k, const void *b,
                      int first, const destination *to) {
  const long row_step = packed ? 1 : stride, step = packed ? stride : 1;
  __m256 c0[6], c1[6];
  UNROLL for (int r = 0; r < MR; r++) { c0[r] = start_avx2(to, r, first); c1[r] = start_avx2(to, r, first + 8); }
  if (format == VK_FLOAT32) {
    const float *w = (const float *)b + first;
    for (long i = 0; i < k; i++, a += step, w += VK_PANEL)
      step_avx2(MR, a, row_step, _mm256_loadu_ps(w), _mm256_loadu_ps(w + 8), c0, c1);
  } else {
    const uint16_t *w = (const uint16_t *)b + 2 * first;
    const __m256i upper = _mm256_set1_epi32((int)0xffff0000);
    for (long i = 0; i < k; i += 2, a += 2 * step, w += 2 * VK_PANEL) {
      __m256i p0 = _mm256_loadu_si256((const __m256i *)w), p1 = _mm256_loadu_si256((const __m256i *)(w + 16));
      step_avx2(MR, a, row_step, _mm256_castsi256_ps(_mm256_slli_epi32(p0, 16)),
                _mm256_castsi256_ps(_mm256_slli_epi32(p1, 16)), c0, c1);
      if (i + 1 < k)
        step_avx2(MR, a + step, row_step, _mm256_castsi256_ps(_mm256_and_si256(p0, upper)),
                  _mm256_castsi256_ps(_mm256_and_si256(p1, upper)), c0, c1);
    }
  }
  UNROLL for (int r = 0; r < MR; r++) store_avx2(to, r, first, c0[r], c1[r]);
}
ALWAYS void block_avx2(const int format, const int packed, int rows, const float *a, long stride, long k, const void *b,
                       const destination *to) {
  for (int from = 0; from < rows; from += 6) {
    destination part = *to;
    part.c += from * to->ldc;
    const float *x = a + (packed ? from : from * stride);
    for (int first = 0; first < VK_PANEL; first += 16)
      switch (rows - from) {
        case 1: rows_avx2(format, packed, 1, x, stride, k, b, first, &part); break;
        case 2: rows_avx2(format, packed, 2, x, stride, k, b, first, &part); break;
        case 3: rows_avx2(format, packed, 3, x, stride, k, b, first, &part); break;
        case 4: rows_avx2(format, packed, 4, x, stride, k, b, first, &part); break;
        case 5: rows_avx2(format, packed, 5, x, stride, k, b, first, &part); break;
        default: rows_avx2(format, packed, 6, x, stride, k, b, first, &part); break;
      }
  }
}
#define BLOCK(name, body, format, packed)                                                                              \
  static void name(int rows, const float *a, long stride, long k, const void *b, const destination *to) {              \
    body(format, packed, rows, a, stride, k, b, to);                                                                   \
  }
BLOCK(float32_avx2, block_avx2, VK_FLOAT32, 0)
BLOCK(float32_packed_avx2, block_avx2, VK_FLOAT32, 1)
BLOCK(bfloat16_avx2, block_avx2, VK_BFLOAT16, 0)
BLOCK(bfloat16_packed_avx2, block_avx2, VK_BFLOAT16, 1)
#pragma clang attribute pop

#define EACH_BLOCK(call)                                                                                               \
  switch (rows) {                                                                                                      \
    case 1: call(1); break;                                                                                            \
    case 2: call(2); break;                                                                                            \
    case 3: call(3); break;                                                                                            \
    case 4: call(4); break;                                                                                            \
    case 5: call(5); break;                                                                                            \
    case 6: call(6); break;                                                                                            \
    case 7: call(7); break;                                                                                            \
    case 8: call(8); break;                                                                                            \
    case 9: call(9); break;                                                                                            \
    case 10: call(10); break;                                                                                          \
    case 11: call(11); break;                                                                                          \
    default: call(12); break;                                                                                          \
  }

#pragma clang attribute push(__attribute__((target(VK_AVX512))), apply_to = function)
ALWAYS void store_avx512(const int MR, const destination *to, const __m512 *c0, const __m512 *c1) {
  if (to->columns == VK_PANEL) {
    __m512 b0 = _mm512_setzero_ps(), b1 = b0;
    if (to->bias) {
      b0 = _mm512_loadu_ps(to->bias);
      b1 = _mm512_loadu_ps(to->bias + 16);
    }
    UNROLL for (int r = 0; r < MR; r++) {
      // Adding a zero would change the sign of another.
      _mm512_storeu_ps(to->c + r * to->ldc, to->bias ? _mm512_add_ps(c0[r], b0) : c0[r]);
      _mm512_storeu_ps(to->c + r * to->ldc + 16, to->bias ? _mm512_add_ps(c1[r], b1) : c1[r]);
    }
    return;
  }
  const uint32_t columns = ((uint32_t)1 << to->columns) - 1;
  const __mmask16 m0 = (__mmask16)columns, m1 = (__mmask16)(columns >> 16);
  UNROLL for (int r = 0; r < MR; r++) {
    __m512 x0 = c0[r], x1 = c1[r];
    if (to->bias) {
      x0 = _mm512_add_ps(x0, _mm512_maskz_loadu_ps(m0, to->bias));
      x1 = _mm512_add_ps(x1, _mm512_maskz_loadu_ps(m1, to->bias + 16));
    }
    _mm512_mask_storeu_ps(to->c + r * to->ldc, m0, x0);
    _mm512_mask_storeu_ps(to->c + r * to->ldc + 16, m1, x1);
  }
}
ALWAYS void start_avx512(const int MR, const destination *to, __m512 *c0, __m512 *c1) {
  UNROLL for (int r = 0; r < MR; r++) { c0[r] = _mm512_setzero_ps(); c1[r] = _mm512_setzero_ps(); }
  if (!to->continues) return;
  const uint32_t columns = to->columns == VK_PANEL ? 0xffffffff : ((uint32_t)1 << to->columns) - 1;
  UNROLL for (int r = 0; r < MR; r++) {
    c0[r] = _mm512_maskz_loadu_ps((__mmask16)columns, to->c + r * to->ldc);
    c1[r] = _mm512_maskz_loadu_ps((__mmask16)(columns >> 16), to->c + r * to->ldc + 16);
  }
}
ALWAYS void step_avx512(const int MR, const float *a, long row_step, __m512 b0, __m512 b1, __m512 *c0, __m512 *c1) {
  UNROLL for (int r = 0; r < MR; r++) {
    __m512 x = _mm512_set1_ps(a[r * row_step]);
    c0[r] = _mm512_fmadd_ps(x, b0, c0[r]);
    c1[r] = _mm512_fmadd_ps(x, b1, c1[r]);
  }
}
ALWAYS void rows_avx512(const int format, const int packed, const int MR, const float *a, long stride, long k,
                        const void *b, const destination *to) {
  const long row_step = packed ? 1 : stride, step = packed ? stride : 1;
  const char *ahead = to->ahead;
  __m512 c0[12], c1[12];
  start_avx512(MR, to, c0, c1);
  if (format == VK_FLOAT32) {
    const float *w = (const float *)b;
    for (long i = 0; i < k; i++, a += step, w += VK_PANEL, ahead += to->ahead_step) {
      _mm_prefetch(ahead, _MM_HINT_T1);
      step_avx512(MR, a, row_step, _mm512_loadu_ps(w), _mm512_loadu_ps(w + 16), c0, c1);
    }
  } else {
    const uint16_t *w = (const uint16_t *)b;
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    for (long i = 0; i < k; i += 2, a += 2 * step, w += 2 * VK_PANEL, ahead += to->ahead_step) {
      _mm_prefetch(ahead, _MM_HINT_T1);
      __m512i p0 = _mm512_loadu_si512(w), p1 = _mm512_loadu_si512(w + VK_PANEL);
      step_avx512(MR, a, row_step, _mm512_castsi512_ps(_mm512_slli_epi32(p0, 16)),
                  _mm512_castsi512_ps(_mm512_slli_epi32(p1, 16)), c0, c1);
      if (i + 1 < k)
        step_avx512(MR, a + step, row_step, _mm512_castsi512_ps(_mm512_and_si512(p0, upper)),
                    _mm512_castsi512_ps(_mm512_and_si512(p1, upper)), c0, c1);
    }
  }
  store_avx512(MR, to, c0, c1);
}
ALWAYS void block_avx512(const int format, const int packed, int rows, const float *a, long stride, long k, const void *b,
                         const destination *to) {
#define CALL(MR) rows_avx512(format, packed, MR, a, stride, k, b, to)
  EACH_BLOCK(CALL)
#undef CALL
}
BLOCK(float32_avx512, block_avx512, VK_FLOAT32, 0)
BLOCK(float32_packed_avx512, block_avx512, VK_FLOAT32, 1)
BLOCK(bfloat16_avx512, block_avx512, VK_BFLOAT16, 0)
BLOCK(bfloat16_packed_avx512, block_avx512, VK_BFLOAT16, 1)
#pragma clang attribute pop

// ---- Dot products of bfloat16 pairs (AVX512-BF16), from rows packed in pairs.
#pragma clang attribute push(__attribute__((target(VK_AVX512_BFLOAT16))), apply_to = function)
ALWAYS void rows_dots(const int MR, const uint32_t *a, long stride, long pairs, const uint16_t *w, const destination *to) {
  __m512 c0[12], c1[12];
  start_avx512(MR, to, c0, c1);
  const char *ahead = to->ahead;
  for (long i = 0; i < pairs; i++, a += stride, w += 2 * VK_PANEL, ahead += to->ahead_step) {
    _mm_prefetch(ahead, _MM_HINT_T1);
    __m512bh b0 = (__m512bh)_mm512_loadu_si512(w), b1 = (__m512bh)_mm512_loadu_si512(w + VK_PANEL);
    UNROLL for (int r = 0; r < MR; r++) {
      __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[r]);
      c0[r] = _mm512_dpbf16_ps(c0[r], x, b0);
      c1[r] = _mm512_dpbf16_ps(c1[r], x, b1);
    }
  }
  store_avx512(MR, to, c0, c1);
}
static void dots_avx512bf16(int rows, const uint32_t *a, long stride, long pairs, const uint16_t *w, const destination *to) {
#define CALL(MR) rows_dots(MR, a, stride, pairs, w, to)
  EACH_BLOCK(CALL)
#undef CALL
}
void vk_dots(int rows, const uint32_t *a, long stride, long pairs, const uint16_t *panel, float *c, long ldc, long columns,
             int continues) {
  const destination to = {c, ldc, columns, NULL, continues, (const char *)panel, 0};
  dots_avx512bf16(rows, a, stride, pairs, panel, &to);
}
#pragma clang attribute pop
#endif

typedef void (*block_fn)(int, const float *, long, long, const void *, const destination *);
static block_fn block_for(int isa, int format, int packed) {
#if defined(__x86_64__)
  if (isa == 2)
    return format == VK_FLOAT32 ? (packed ? float32_packed_avx512 : float32_avx512)
                                : (packed ? bfloat16_packed_avx512 : bfloat16_avx512);
  if (isa == 1)
    return format == VK_FLOAT32 ? (packed ? float32_packed_avx2 : float32_avx2)
                                : (packed ? bfloat16_packed_avx2 : bfloat16_avx2);
#endif
  (void)isa, (void)format, (void)packed;
  return NULL;
}

// One block of rows times one run of a panel: inputs first ..< first + count.
static void multiply_block(const vk_product *q, block_fn block, long row, int rows, long each, const void *run, long first,
                           long count, const destination *to) {
  if (q->rows == VK_ROWS_ROUNDED) {
#if defined(__x86_64__)
    const uint32_t *a = (const uint32_t *)q->a + row * (even(q->k) / 2) + first / 2 * each;
    dots_avx512bf16(rows, a, each, even(count) / 2, run, to);
#endif
    return;
  }
  int packed = q->rows == VK_ROWS_PACKED;
  const float *a = (const float *)q->a + (packed ? row * q->k + first * each : row * q->lda + first);
  long stride = packed ? each : q->lda;
  if (block) block(rows, a, stride, count, run, to);
  else block_plain(q->format, rows, a, packed ? 1 : stride, packed ? stride : 1, count, run, to);
}

void vk_multiply_panels(const vk_product *product, long first_block, long last_block, long first_panel, long last_panel) {
  const vk_product q = *product;
  const long each = vk_block_rows(q.m);
  const block_fn block = block_for(vk_isa(), q.format, q.rows == VK_ROWS_PACKED);
  const size_t panel_bytes = panel_values(q.format, q.k) * element_bytes(q.format);
  const long blocks = last_block - first_block;
  if (blocks <= 0) return;
  const long ahead_step = (STEP_BYTES + blocks - 1) / blocks;
  // Run by run: what all rows hold of one is read again for every panel.
  long first = 0;
  do {
    const long count = q.k - first < LONGEST_RUN ? q.k - first : LONGEST_RUN;
    const long steps = (long)(panel_values(q.format, count) * element_bytes(q.format)) / STEP_BYTES;
    for (long p = first_panel; p < last_panel; p++) {
      const char *panel = (const char *)q.panels + (size_t)p * panel_bytes;
      const char *run = panel + panel_values(q.format, first) * element_bytes(q.format);
      const long columns = q.n - p * VK_PANEL < VK_PANEL ? q.n - p * VK_PANEL : VK_PANEL;
      const float *bias = q.bias && first + count == q.k ? q.bias + p * VK_PANEL : NULL;
      for (long number = first_block; number < last_block; number++) {
        const long share = (number - first_block) * ahead_step * steps;
        const char *ahead = run + (blocks > 1 ? (long)panel_bytes + share : NEAR_BYTES);
        const long row = number * each;
        const int rows = (int)(q.m - row < each ? q.m - row : each);
        const destination to = {q.c + row * q.ldc + p * VK_PANEL, q.ldc, columns, bias, first > 0, ahead, ahead_step};
        multiply_block(&q, block, row, rows, each, run, first, count, &to);
      }
    }
    first += count;
  } while (first < q.k);
}

void vk_gemm(const float *a, long lda, long m, long k, const float *panels, long n, const float *bias, float *c, long ldc,
             long first_panel, long last_panel) {
  vk_product product = {a, VK_ROWS_AS_THEY_LIE, lda, m, k, panels, VK_FLOAT32, n, bias, c, ldc};
  vk_multiply_panels(&product, 0, vk_block_count(m), first_panel, last_panel);
}
