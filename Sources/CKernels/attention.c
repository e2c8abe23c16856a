// Attention of one head over two segments: the retained history (slots, each with an optional fixed logit bias) and
// the current map. Works on tiles of TILE query rows; a tile of scores is all that is ever held.
#include "attention.h"
#include "panels.h"
#include "rows.h"
#include <string.h>

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// The scratch: keys and values, packed; a tile's scores; and what only some calls use.
typedef struct {
  size_t keys, values, scores, room, largest, query_sums, queries, softened, count;
} layout;
static layout lay_out(long d, long history, long current, long sign_count) {
  const long total = history + current;
  layout at = {0};
  at.values = at.keys + rounded((long)larger(vk_packed_count(total, d), vk_dots_key_count(d, total)));
  at.scores = at.values + rounded((long)larger(vk_packed_count(d, total), vk_dots_value_count(d, total)));
  at.room = at.scores + rounded((long)TILE * total);
  at.largest = at.room + ROOM_ROWS * rounded(d);
  at.query_sums = at.largest + VK_ROWS_TOGETHER * rounded(history);
  at.queries = at.query_sums + rounded(2 * sign_count * d) + rounded(sign_count * history);
  at.softened = at.queries + vk_dots_row_count(d);
  at.count = at.softened + vk_dots_row_count(total);
  return at;
}

size_t vk_attention_scratch_count(long d, long history, long current, long sign_count) {
  return lay_out(d, history, current, sign_count).count;
}

// Four rows of keys to four columns of a panel.
static void pack_four_keys(const float *const rows[4], long d, float *panel) {
  long i = 0;
  for (; i + 4 <= d; i += 4) turn_four(rows, i, panel + i * VK_PANEL, VK_PANEL);
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

static int measures(const vk_attention *a) {
  return a->column_mass || a->top_mass || a->entropy || a->probabilities || a->signs;
}

// Turns a tile's scores into probabilities and adds what is asked for of them.
static void soften_and_measure(const vk_attention *a, long first, long rows, float *scores, float *largest,
                               float *query_sums) {
  const long total = a->history + a->current;
  const float *counted[TILE];
  float weights[TILE];
  long counted_rows = 0;
  for (long r = 0; r < rows; r++) {
    float *row = scores + r * total;
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
    vk_add_largest(counted, weights, counted_rows, a->history, a->top_counts, a->top_count_count, a->top_mass, largest);
  if (a->signs && a->history > 0) {
    const float *signs = a->signs + first * a->sign_count;
    vk_add_signed(scores, total, rows, a->history, signs, a->sign_count, a->attention_sketch);
    vk_add_signed(a->q + first * a->q_stride, a->q_stride, rows, a->d, signs, a->sign_count, query_sums);
  }
}

void vk_attention_run(const vk_attention *a, float *scratch) {
  const long total = a->history + a->current, d = a->d;
  const int in_dots = a->rows == VK_ROWS_ROUNDED, sketches = a->signs && a->history > 0;
  const layout at = lay_out(d, a->history, a->current, a->signs ? a->sign_count : 0);
  float *keys = scratch + at.keys, *values = scratch + at.values, *scores = scratch + at.scores, *room = scratch + at.room;
  float *query_sums = scratch + at.query_sums, inverses[TILE];
  // The same places in pairs.
  uint32_t *key_pairs = (uint32_t *)keys, *value_pairs = (uint32_t *)values;
  uint32_t *queries = (uint32_t *)scratch + at.queries, *softened = (uint32_t *)scratch + at.softened;
  if (sketches) {
    memset(a->attention_sketch, 0, sizeof(float) * (size_t)(a->history * a->sign_count));
    memset(query_sums, 0, sizeof(float) * (size_t)(d * a->sign_count));
  }
  if (in_dots) {
    vk_dots_pack(a, key_pairs, value_pairs, room);
  } else {
    pack_keys(a, keys, room);
    pack_values(a, values, room);
  }
  for (long first = 0; first < a->queries; first += TILE) {
    const int rows = (int)(a->queries - first < TILE ? a->queries - first : TILE);
    const float *q = a->q + first * a->q_stride;
    float *out = a->out + first * a->out_stride;
    if (in_dots) vk_dots_scores(a, first, rows, key_pairs, queries, scores);
    else vk_gemm(q, a->q_stride, rows, d, keys, total, NULL, scores, total, 0, panels_of(total));
    for (int r = 0; a->history_bias && r < rows; r++)
      vk_add_gated(scores + r * total, a->history_bias, NULL, 1, a->history);
    if (in_dots) vk_dots_soften(scores, rows, total, softened, inverses);
    if (!in_dots || measures(a)) soften_and_measure(a, first, rows, scores, scratch + at.largest, query_sums);
    if (in_dots) vk_dots_out(a, first, rows, value_pairs, softened, inverses);
    else vk_gemm(scores, total, rows, total, values, d, NULL, out, a->out_stride, 0, panels_of(d));
  }
  if (sketches && in_dots) pack_keys(a, keys, room);
  if (sketches) sketch_keys(a, query_sums, keys, query_sums + d * a->sign_count);
}
