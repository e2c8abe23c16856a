// Attention of one head over two segments: the retained history (slots, each with an optional fixed logit bias) and
// the current map. Works on tiles of TILE query rows; a tile of scores is all that is ever held.
#include "CKernels.h"
#include "rows.h"
#include <string.h>

enum { TILE = 12, ROOM_ROWS = 5 };  // rows of keys that are packed together, and one of zeros

static size_t rounded(long count) { return ((size_t)count + 15) & ~(size_t)15; }
static long panels_of(long n) { return (n + VK_PANEL - 1) / VK_PANEL; }

size_t vk_attention_scratch_count(long queries, long d, long history, long current, long sign_count) {
  (void)queries;
  long total = history + current;
  return rounded((long)vk_packed_count(total, d)) + rounded((long)vk_packed_count(d, total)) + rounded((long)TILE * total) +
         VK_ROWS_TOGETHER * rounded(history) + rounded(ROOM_ROWS * d) + rounded(2 * sign_count * d) + rounded(sign_count * history);
}

// The float32 row of one key or value of either segment; a slot in a narrow format is read into `room` first.
static const float *row_of(const vk_attention *a, const void *history, const float *current, long key, float *room) {
  if (key >= a->history) return current + (key - a->history) * a->d;
  const char *stored = (const char *)history + (size_t)key * vk_row_bytes(a->history_format, a->d);
  if (a->history_format == VK_FLOAT32 && ((uintptr_t)stored & 3) == 0) return (const float *)stored;
  vk_rows_decode(a->history_format, stored, 1, a->d, room);
  return room;
}

typedef float float4 __attribute__((ext_vector_type(4)));

// Four rows of keys to four columns of a panel.
static void pack_four_keys(const float *const rows[4], long d, float *panel) {
  long i = 0;
  for (; i + 4 <= d; i += 4) {
    float4 x[4];
    for (int j = 0; j < 4; j++) memcpy(&x[j], rows[j] + i, sizeof x[j]);
    float4 t0 = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5), t1 = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
    float4 t2 = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5), t3 = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
    float4 y[4] = {__builtin_shufflevector(t0, t2, 0, 1, 4, 5), __builtin_shufflevector(t0, t2, 2, 3, 6, 7),
                   __builtin_shufflevector(t1, t3, 0, 1, 4, 5), __builtin_shufflevector(t1, t3, 2, 3, 6, 7)};
    for (int j = 0; j < 4; j++) memcpy(panel + (i + j) * VK_PANEL, &y[j], sizeof y[j]);
  }
  for (; i < d; i++)
    for (int j = 0; j < 4; j++) panel[i * VK_PANEL + j] = rows[j][i];
}

// K rows of both segments as one set of panels of 32 keys: P[key / 32][d][key % 32].
static void pack_keys(const vk_attention *a, float *panels, float *room) {
  const long total = a->history + a->current, d = a->d;
  for (long key = 0; key < panels_of(total) * VK_PANEL; key += 4) {
    const float *rows[4];
    memset(room + 4 * d, 0, sizeof(float) * (size_t)d);
    for (long j = 0; j < 4; j++)
      rows[j] = key + j < total ? row_of(a, a->history_k, a->current_k, key + j, room + j * d) : room + 4 * d;
    pack_four_keys(rows, d, panels + (size_t)(key / VK_PANEL) * VK_PANEL * d + key % VK_PANEL);
  }
}

// V rows of both segments as panels of 32 output channels: P[channel / 32][key][channel % 32].
static void pack_values(const vk_attention *a, float *panels, float *room) {
  long total = a->history + a->current, d = a->d;
  for (long key = 0; key < total; key++) {
    const float *row = row_of(a, a->history_v, a->current_v, key, room);
    for (long p = 0; p < panels_of(d); p++) {
      long columns = d - p * VK_PANEL < VK_PANEL ? d - p * VK_PANEL : VK_PANEL;
      float *to = panels + ((size_t)p * (size_t)total + (size_t)key) * VK_PANEL;
      if (columns == VK_PANEL) {
        memcpy(to, row + p * VK_PANEL, sizeof(float) * VK_PANEL);  // of a known size: no call
      } else {
        memcpy(to, row + p * VK_PANEL, sizeof(float) * (size_t)columns);
        memset(to + columns, 0, sizeof(float) * (size_t)(VK_PANEL - columns));
      }
    }
  }
}

static void transpose(const float *from, long rows, long columns, float *to) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
}

// The sketch of the keys from that of the queries [D, signs]: project all history keys at once. `scratch` holds
// [signs, D] and [signs, history].
static void sketch_keys(const vk_attention *a, const float *query_sums, const float *key_panels, float *scratch) {
  float *projections = scratch, *products = scratch + a->sign_count * a->d;
  transpose(query_sums, a->d, a->sign_count, projections);
  vk_gemm(projections, a->d, a->sign_count, a->d, key_panels, a->history, NULL, products, a->history, 0,
          panels_of(a->history));
  transpose(products, a->sign_count, a->history, a->key_sketch);
}

void vk_attention_run(const vk_attention *a, float *scratch) {
  long total = a->history + a->current, d = a->d;
  float *keys = scratch, *values = keys + rounded((long)vk_packed_count(total, d));
  float *scores = values + rounded((long)vk_packed_count(d, total)), *copy = scores + rounded((long)TILE * total);
  float *room = copy + VK_ROWS_TOGETHER * rounded(a->history), *query_sums = room + rounded(ROOM_ROWS * d);
  int sketches = a->signs && a->history > 0;
  if (sketches) {
    memset(a->attention_sketch, 0, sizeof(float) * (size_t)(a->history * a->sign_count));
    memset(query_sums, 0, sizeof(float) * (size_t)(d * a->sign_count));
  }
  pack_keys(a, keys, room);
  pack_values(a, values, room);
  for (long first = 0; first < a->queries; first += TILE) {
    long rows = a->queries - first < TILE ? a->queries - first : TILE;
    vk_gemm(a->q + first * a->q_stride, a->q_stride, rows, d, keys, total, NULL, scores, total, 0, panels_of(total));
    const float *counted[TILE];
    float weights[TILE];
    long counted_rows = 0;
    for (long r = 0; r < rows; r++) {
      float *row = scores + r * total;
      if (a->history_bias)
        for (long s = 0; s < a->history; s++) row[s] += a->history_bias[s];
      double entropy = 0;
      vk_softmax_row(row, total, a->entropy ? &entropy : NULL);
      float weight = a->row_weight ? a->row_weight[first + r] : 1.0f;
      if (weight != 0) {
        if (a->entropy) *a->entropy += (double)weight * entropy;
        if (a->column_mass) vk_add_double(a->column_mass, row, weight, total);
        counted[counted_rows] = row;
        weights[counted_rows++] = weight;
      }
      if (a->probabilities) memcpy(a->probabilities + (first + r) * total, row, sizeof(float) * (size_t)total);
    }
    if (a->top_mass && a->history > 0)
      vk_add_largest(counted, weights, counted_rows, a->history, a->top_counts, a->top_count_count, a->top_mass, copy);
    if (sketches) {
      const float *signs = a->signs + first * a->sign_count;
      vk_add_signed(scores, total, rows, a->history, signs, a->sign_count, a->attention_sketch);
      vk_add_signed(a->q + first * a->q_stride, a->q_stride, rows, d, signs, a->sign_count, query_sums);
    }
    vk_gemm(scores, total, rows, total, values, d, NULL, a->out + first * a->out_stride, a->out_stride, 0, panels_of(d));
  }
  if (sketches) sketch_keys(a, query_sums, keys, query_sums + d * a->sign_count);
}
