// Numeric kernels of Vernier, in C so that each instruction set is compiled by attribute and chosen at run time.
//
// Legend: M rows (tokens), K reduction width, N output width, S history slots, D head width.
// All arrays are float32 unless said otherwise. Every output is computed in one fixed order, a product's sums by fused
// multiply-add over ascending k, whatever M, the thread count or the instruction set: bits are the same on all paths. Only
// VK_ROWS_ROUNDED, of one instruction set, has an order of its own, and the system's BLAS whichever it likes.
#pragma once
#include <stddef.h>
#include <stdint.h>

// ---- Instruction sets ------------------------------------------------------------------------------------------
// 0 plain C, 1 AVX2 + FMA, 2 AVX-512. The best the CPU has, or what VERNIER_KERNELS=plain|avx2|avx512 asks for.
int vk_isa(void);
int vk_isa_best(void);
int vk_has_bfloat16_dots(void);  // AVX512-BF16, unless VERNIER_KERNELS asks for less
void vk_isa_force(int isa);  // for tests, on the calling thread only; isa <= vk_isa_best()

// ---- Thread pool -----------------------------------------------------------------------------------------------
typedef void (*vk_task)(void *context, long part);
enum { VK_MOST_THREADS = 256 };
int vk_thread_count(void);         // VERNIER_THREADS, or the number of online cores
void vk_thread_count_set(int count);
int vk_thread_index(void);         // 0 for the caller, 1... for pool threads, inside a task
// A block of the calling thread's own, 64-byte aligned, contents undefined: it is the same one at the next call, grown if
// need be, and goes with the thread. NULL if there is no memory.
void *vk_thread_block(size_t bytes);
size_t vk_thread_block_bytes(void);  // of the blocks of all threads
// Runs task(context, 0 ..< parts) on the pool, the caller included; returns when all parts are done. Not reentrant: a call
// from inside a task runs serially.
void vk_parallel(long parts, vk_task task __attribute__((swift_attr("@Sendable"))), void *context);

// How numbers are stored: weights in the first two, rows of the cache (see below) in all.
enum { VK_FLOAT32 = 0, VK_BFLOAT16 = 1, VK_INT8 = 2, VK_INT4 = 3 };

// ---- Matrix product --------------------------------------------------------------------------------------------
enum { VK_PANEL = 32 };
static inline size_t vk_packed_count(long n, long k) { return (size_t)((n + VK_PANEL - 1) / VK_PANEL) * VK_PANEL * (size_t)k; }
// The bytes of a matrix's panels in VK_FLOAT32, P[N/32][K][32], or VK_BFLOAT16, in pairs of inputs, P[N/32][K/2][32][2].
size_t vk_panel_bytes(int format, long n, long k);
// W [N, K] (row stride ldw) -> panels, zero padded.
void vk_pack(const float *w, long ldw, long n, long k, float *panels);
// The same in bfloat16: the upper halves of the numbers. Exact if vk_fits_bfloat16.
void vk_pack_bfloat16(const float *w, long ldw, long n, long k, uint16_t *panels);
int vk_fits_bfloat16(const float *x, long count);
// Panels in VK_FLOAT32 or VK_BFLOAT16 -> W [N, K].
void vk_unpack(int format, const void *panels, long n, long k, float *w);
// W^T [K, N] (row stride ldw) -> panels in float32.
void vk_pack_transposed(const float *wt, long ldw, long n, long k, float *panels);

// How the rows of A are given: as they lie; packed into blocks of up to 12 rows side by side, float32; or so packed and
// rounded to bfloat16, to the nearest, in pairs: for products of pairs added in float32, where vk_has_bfloat16_dots().
enum { VK_ROWS_AS_THEY_LIE = 0, VK_ROWS_PACKED = 1, VK_ROWS_ROUNDED = 2 };
long vk_block_count(long m);  // into how many blocks M rows are cut, and how many rows are in each but the last
long vk_block_rows(long m);
size_t vk_packed_rows_bytes(int rows, long m, long k);
// Packs some blocks of A [M, K] (row stride lda); `to` is where the first of all goes.
void vk_pack_rows(int rows, const float *a, long lda, long m, long k, long first_block, long last_block, void *to);

// C [M, N] = A [M, K] * W^T + bias (NULL: none). Panels in bfloat16 give bit for bit what float32 panels of the same
// numbers give, packed rows what rows as they lie give; VK_ROWS_ROUNDED goes with panels in bfloat16 only.
typedef struct {
  const void *a;
  int rows;                         // VK_ROWS_...
  long lda;                         // of rows as they lie
  long m, k;
  const void *panels;
  int format;                       // of the panels
  long n;
  const float *bias;                // [N]
  float *c;
  long ldc;
} vk_product;
// Some blocks of rows times some panels.
void vk_multiply_panels(const vk_product *product, long first_block, long last_block, long first_panel, long last_panel);
// The product of rows as they lie and panels in float32, for some panels.
void vk_gemm(const float *a, long lda, long m, long k, const float *panels, long n, const float *bias, float *c,
             long ldc, long first_panel, long last_panel);
// The same product through the system's BLAS (OpenBLAS, Accelerate), W as stored [N, K]; bits may differ.
void vk_gemm_blas(const float *a, long lda, long m, long k, const float *w, long n, const float *bias, float *c, long ldc);

// ---- Convolution -----------------------------------------------------------------------------------------------
// 3x3, stride 1, zero padding 1, channels last, by Winograd's F(2x2, 3x3). Tiles of 2x2 output pixels are counted row by
// row, (width + 1) / 2 a row.
enum { VK_WINOGRAD_PRODUCTS = 16 };
typedef struct {
  const void *panels;               // of [outputs, inputs]
  int format;                       // VK_FLOAT32 or VK_BFLOAT16
} vk_weights;
typedef struct {
  const float *x;                   // rows of the map [height, width, inputs] from first_row on
  long first_row, height, width;
  long inputs, outputs;
  const vk_weights *weights;        // [VK_WINOGRAD_PRODUCTS]
  int rows;                         // how the products take transformed tiles: VK_ROWS_AS_THEY_LIE or VK_ROWS_ROUNDED
  const float *bias;                // [outputs]
  float *y;                         // [height, width, outputs]
  int adds;                         // to y; else it is written
} vk_winograd;
// Filters g [outputs, inputs, 3, 3] -> u [VK_WINOGRAD_PRODUCTS, outputs, inputs].
void vk_winograd_weights(const float *g, long outputs, long inputs, float *u);
size_t vk_winograd_scratch_bytes(int rows, long inputs, long outputs, long tiles);
// Some tiles; x must hold the rows they need: one more above and one below than they write, as far as the map goes.
void vk_winograd_run(const vk_winograd *convolution, long first_tile, long last_tile, void *scratch);

// ---- Rows and elements -----------------------------------------------------------------------------------------
// y = (x - mean) / sqrt(var + eps) * w + b per row of C values; w, b may be NULL (1, 0).
void vk_layer_norm(const float *x, long rows, long c, float eps, const float *w, const float *b, float *y);
// y = LN(x) * (1 + scale) + shift (adaptive LayerNorm).
void vk_layer_norm_modulated(const float *x, long rows, long c, float eps, const float *scale, const float *shift, float *y);
void vk_rms_norm(const float *x, long rows, long c, float eps, const float *w, float *y);
void vk_gelu_tanh(float *x, long count);
void vk_silu(const float *x, long count, float *y);
void vk_softmax_rows(float *x, long rows, long c);
// x += gamma * y per row; gamma [C] or NULL (1).
void vk_add_gated(float *x, const float *y, const float *gamma, long rows, long c);
void vk_multiply(float *x, const float *y, long count);
// x /= max(norm2(x), 1e-12) * (1 / factor), rows of D at stride ld, in place.
void vk_l2_normalise(float *x, long rows, long d, long ld, float factor);
// Rotates adjacent pairs: out[2i] = cos a - sin b ..., tables [rows, D/2].
void vk_rope(float *x, long rows, long d, const float *cosines, const float *sines);
// Sums over pixels and the C/groups channels of each group, pixels ascending, channels last: of x if mean is NULL, else of
// the squared distances from mean [groups].
void vk_group_sums(const float *x, long pixels, long c, long groups, const double *mean, double *sums);
// y = x * scale + shift per channel (a group norm, once its statistics are known), then SiLU if silu != 0.
void vk_scale_shift(const float *x, long pixels, long c, const float *scale, const float *shift, int silu, float *y);
int vk_all_finite(const float *x, long count);
// sums[slots[r]] += coefficients[r] * x[r] for rows r ascending, each of D values; a negative slot is skipped.
void vk_add_rows(const float *x, long rows, long d, const int32_t *slots, const float *coefficients, float *sums);
// Random projection of columns: sums[j, r] += sum over i of x[i, j] * signs[i, r], i ascending; x [rows, count] at row
// stride ldx, signs [rows, sign_count] of +1 and -1, sums [count, sign_count].
void vk_add_signed(const float *x, long ldx, long rows, long count, const float *signs, long sign_count, float *sums);

// How many values are at least `limit`.
long vk_count_at_least(const float *x, long count, float limit);
// The same, and their places, ascending; `places` has room for `count`.
long vk_places_at_least(const float *x, long count, float limit, int32_t *places);
// Philox 4x32-10 of the counters (c0, c1[i], c2, c3) -> words [count, 4].
void vk_philox(uint64_t seed, uint32_t c0, const uint32_t *c1, uint32_t c2, uint32_t c3, long count, uint32_t *words);

// ---- What calibration measures ---------------------------------------------------------------------------------
// sums[t] += weights[r] * (the sum of the keeps[t] largest of row r, or of all if they are fewer), rows ascending, for
// ascending keeps. Rows of count numbers that are not negative; sums of a row run in float64 over lanes. `room` is of
// VK_ROWS_TOGETHER rows of count floats, rounded up to a multiple of 16.
enum { VK_ROWS_TOGETHER = 4 };
void vk_add_largest(const float *const *rows, const float *weights, long row_count, long count, const int32_t *keeps,
                    long keep_count, double *sums, float *room);
// sums[i] += rows[r][i], rows ascending.
void vk_add_each(const float *const *rows, long row_count, long count, float *sums);
// forms[r] = z^T matrix z in float64 for the rows z = x[r], or x[r] - y[r] if y is not NULL, of D values; matrix [D, D];
// sums over ascending i of z[i] times the sum over ascending j of matrix[i, j] * z[j]. `room` is of 8 * D numbers.
void vk_quadratic_forms(const float *x, const float *y, long rows, long d, const double *matrix, double *forms,
                        double *room);
// gram[i, j] += sum over r of (weights[r] * x[r, i]) * x[r, j] in float64, r ascending; x [rows, D] at row stride ldx, gram
// [D, D], weights [rows] or NULL (1).
void vk_add_gram(const float *x, long ldx, long rows, long d, const double *weights, double *gram);

// ---- Stored rows -----------------------------------------------------------------------------------------------
// How a row of D values is stored: float32; bfloat16; int8: a float32 scale and D codes; int4: for each 32 channels a
// bfloat16 scale and 16 bytes of codes (storage.c). Rows follow each other without padding and need no alignment.
size_t vk_row_bytes(int format, long d);
void vk_rows_encode(int format, const float *rows, long count, long d, void *bytes);
void vk_rows_decode(int format, const void *bytes, long count, long d, float *rows);

// ---- Attention -------------------------------------------------------------------------------------------------
// One head of one sequence: softmax(q K^T + bias) V over two segments, history slots then the current map.
typedef struct {
  const float *q;                   // row r at q + r * q_stride, already scaled
  long q_stride, queries, d;
  const void *history_k, *history_v;  // [history] rows of D in history_format
  int history_format;
  const float *history_bias;        // [history] logit bias of each slot, or NULL
  long history;
  const float *current_k, *current_v;  // [current, D]
  long current;
  float *out;                       // row r at out + r * out_stride
  long out_stride;
  // VK_ROWS_AS_THEY_LIE, or VK_ROWS_ROUNDED (where vk_has_bfloat16_dots()): queries, keys, e^(score - row's largest) and values
  // are rounded to bfloat16, products added in float32. What is measured are the probabilities before that last rounding.
  int rows;
  // What to measure; every pointer may be NULL. Sums over queries (each times its row weight).
  const float *row_weight;          // [queries], NULL = 1
  double *column_mass;              // [history + current]
  const int32_t *top_counts;        // ascending
  long top_count_count;
  double *top_mass;                 // [top_count_count]: sum of the largest history probabilities
  double *entropy;                  // 1 value, nats
  float *probabilities;             // [queries, history + current]
  // Random projections of the history's columns, not weighted: set, not added to, if signs is not NULL.
  const float *signs;               // [queries, sign_count] of +1 and -1
  long sign_count;
  float *attention_sketch;          // [history, sign_count]: sum_i signs[i, r] * probability[i, p]
  float *key_sketch;                // [history, sign_count]: (sum_i signs[i, r] * q_i) . k_p
} vk_attention;
// Scratch in floats; sign_count 0 without sketches.
size_t vk_attention_scratch_count(long d, long history, long current, long sign_count);
void vk_attention_run(const vk_attention *args, float *scratch);
