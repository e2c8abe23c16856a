// Internal: what the two ways of attending share.
#pragma once
#include "CKernels.h"

// Query rows that are taken together; rows of keys or values that are packed together, and one of zeros.
enum { TILE = 12, ROOM_ROWS = 5 };

static inline size_t rounded(long count) { return ((size_t)count + 15) & ~(size_t)15; }
static inline long panels_of(long n) { return (n + VK_PANEL - 1) / VK_PANEL; }

// The float32 row of one key or value of either segment; a slot in a narrow format is read into `room` first.
static inline const float *row_of(const vk_attention *a, const void *history, const float *current, long key, float *room) {
  if (key >= a->history) return current + (key - a->history) * a->d;
  const char *stored = (const char *)history + (size_t)key * vk_row_bytes(a->history_format, a->d);
  if (a->history_format == VK_FLOAT32 && ((uintptr_t)stored & 3) == 0) return (const float *)stored;
  vk_rows_decode(a->history_format, stored, 1, a->d, room);
  return room;
}

// In products of bfloat16 pairs: see attention_dots.c. Where a processor has none, none of these is called.
size_t vk_dots_key_count(long d, long total);    // in pairs, of 4 bytes
size_t vk_dots_value_count(long d, long total);
size_t vk_dots_row_count(long count);            // of a tile's queries (D of each) or of its probabilities
void vk_dots_pack(const vk_attention *a, uint32_t *keys, uint32_t *values, float *room);
// The scores of some rows of queries, [rows, total].
void vk_dots_scores(const vk_attention *a, long first, int rows, const uint32_t *keys, uint32_t *queries, float *scores);
// e^(score - row's largest) of each, rounded, and the inverses of their rows' sums.
void vk_dots_soften(const float *scores, int rows, long total, uint32_t *softened, float *inverses);
void vk_dots_out(const vk_attention *a, long first, int rows, const uint32_t *values, const uint32_t *softened,
                 const float *inverses);
