// What attention and calibration measure, compiled once per instruction set (measures.c sets SUFFIX). As in rows_body.h
// every build gives the same bits: whole numbers, copies, and sums over lanes in a fixed order without contraction.
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define FN(name) CAT(name, SUFFIX)

// Numbers that are not negative stand in the order of their bits read as whole numbers, and that is how they are compared
// here. -0, the least whole number, fills up what is no multiple of 16: below everything, and nothing in a sum.
static inline __attribute__((always_inline)) i16x FN(bits16)(const float *p) { i16x x; memcpy(&x, p, sizeof x); return x; }

static inline __attribute__((always_inline)) void FN(fill_up)(float *x, long count) {
  for (; count & 15; count++) x[count] = -0.0f;
}

#ifdef HAS_MASKS
// How many of x are above `bound`; count a multiple of 16.
static inline __attribute__((always_inline)) long FN(count_above)(const float *x, long count, int32_t bound) {
  long sum = 0;
  __m512i least = _mm512_set1_epi32(bound);
  for (long i = 0; i < count; i += 16) sum += _mm_popcnt_u32(_mm512_cmpgt_epi32_mask(_mm512_loadu_si512(x + i), least));
  return sum;
}

// Moves those above `bound` to the front, in their order; returns how many.
static inline __attribute__((always_inline)) long FN(pack_above)(float *x, long count, int32_t bound) {
  long packed = 0;
  __m512i least = _mm512_set1_epi32(bound);
  for (long i = 0; i < count; i += 16) {
    __m512i lanes = _mm512_loadu_si512(x + i);
    __mmask16 above = _mm512_cmpgt_epi32_mask(lanes, least);
    _mm512_storeu_si512(x + packed, _mm512_maskz_compress_epi32(above, lanes));
    packed += _mm_popcnt_u32(above);
  }
  FN(fill_up)(x, packed);
  return packed;
}
#else
static inline __attribute__((always_inline)) long FN(count_above)(const float *x, long count, int32_t bound) {
  i16x sum = {};
  for (long i = 0; i < count; i += 16) sum += FN(bits16)(x + i) > bound;
  return -(long)__builtin_reduce_add(sum);
}

static inline __attribute__((always_inline)) long FN(pack_above)(float *x, long count, int32_t bound) {
  long packed = 0;
  for (long i = 0; i < count; i += 16) {
    i16x lanes = FN(bits16)(x + i), above = lanes > bound;
    if (!__builtin_reduce_or(above)) continue;
    for (int lane = 0; lane < 16; lane++) {
      int32_t bits = lanes[lane];
      memcpy(x + packed, &bits, sizeof bits);
      packed -= above[lane];
    }
  }
  FN(fill_up)(x, packed);
  return packed;
}
#endif

// Brackets the `keep`-th largest of count > keep numbers: more than *low are at least keep, more than *high fewer.
static inline __attribute__((always_inline)) void FN(bracket)(const float *x, long count, long keep, int64_t *low, int64_t *high) {
  enum { GROUPS = 4, LANES = 16 * GROUPS };
  i16x most[GROUPS];
  for (int g = 0; g < GROUPS; g++) most[g] = (i16x){} - 1;
  for (long i = 0; i < count; i += LANES)
    for (int g = 0; g < GROUPS && i + 16 * g < count; g++) most[g] = __builtin_elementwise_max(most[g], FN(bits16)(x + i + 16 * g));
  i16x larger = __builtin_elementwise_max(__builtin_elementwise_max(most[0], most[1]), __builtin_elementwise_max(most[2], most[3]));
  i16x smaller = __builtin_elementwise_min(__builtin_elementwise_min(most[0], most[1]), __builtin_elementwise_min(most[2], most[3]));
  *high = __builtin_reduce_max(larger);
  *low = -1;
  // 16 (64) numbers are not below the least of 16 (64) maxima.
  if (keep == 1) *low = *high - 1;
  else if (keep <= 16) *low = (int64_t)__builtin_reduce_min(larger) - 1;
  else if (keep <= LANES) *low = (int64_t)__builtin_reduce_min(smaller) - 1;
  if (*low < -1) *low = -1;
}

// Keeps the `keep` largest of count > keep numbers of some rows, not in order; those equal to the smallest are alike. A
// search is a chain of dependent steps, so several run side by side; steps beyond the end of one change nothing.
static void FN(keep_largest)(float *const *x, long row_count, long count, long keep) {
  enum { LONG = 1024, SHORT = 64, NARROW = 3 };
  long whole[VK_ROWS_TOGETHER], above[VK_ROWS_TOGETHER];
  int64_t low[VK_ROWS_TOGETHER], high[VK_ROWS_TOGETHER];
  for (long r = 0; r < row_count; r++) {
    whole[r] = (count + 15) & ~15L;
    above[r] = 0;
    FN(bracket)(x[r], whole[r], keep, &low[r], &high[r]);
    if (count > LONG && low[r] >= 0) whole[r] = (FN(pack_above)(x[r], whole[r], (int32_t)low[r]) + 15) & ~15L;
  }
  for (int searching = 1, step = 1; searching; step++) {
    searching = 0;
    for (long r = 0; r < row_count; r++) {
      int64_t middle = low[r] + (high[r] - low[r]) / 2;
      long counted = FN(count_above)(x[r], whole[r], (int32_t)middle);
      int more = counted > keep;
      low[r] = more ? middle : low[r];
      high[r] = more ? high[r] : middle;
      above[r] = more ? above[r] : counted;
      searching |= above[r] < keep && high[r] - low[r] > 1;
    }
    // By now most numbers are known to be too small.
    if (step == NARROW)
      for (long r = 0; r < row_count; r++)
        if (whole[r] > SHORT) whole[r] = (FN(pack_above)(x[r], whole[r], (int32_t)low[r]) + 15) & ~15L;
  }
  for (long r = 0; r < row_count; r++) {
    FN(pack_above)(x[r], whole[r], (int32_t)high[r]);
    union { int32_t bits; float value; } least = {(int32_t)high[r]};
    for (; above[r] < keep; above[r]++) x[r][above[r]] = least.value;
    FN(fill_up)(x[r], keep);
  }
}

// The sum of numbers of which count is a multiple of 16.
static double FN(sum_lanes)(const float *x, long count) {
  d16 sum = {};
  for (long i = 0; i < count; i += 16) { v16 v; memcpy(&v, x + i, sizeof v); sum = sum + __builtin_convertvector(v, d16); }
  d8 eight = sum.lo + sum.hi;
  d4 four = eight.lo + eight.hi;
  return (four[0] + four[2]) + (four[1] + four[3]);
}

static void FN(add_largest)(const float *const *rows, const float *weights, long row_count, long count, const int32_t *keeps, long keep_count, double *sums, float *room) {
  long stride = (count + 15) & ~15L;
  float *x[VK_ROWS_TOGETHER];
  double sum[VK_ROWS_TOGETHER];
  for (long first = 0; first < row_count; first += VK_ROWS_TOGETHER) {
    long live = count, together = row_count - first < VK_ROWS_TOGETHER ? row_count - first : VK_ROWS_TOGETHER;
    for (long r = 0; r < together; r++) {
      x[r] = room + r * stride;
      memcpy(x[r], rows[first + r], sizeof(float) * (size_t)count);
      FN(fill_up)(x[r], count);
    }
    // Descending: each selection works inside the previous one's winners.
    for (long t = keep_count - 1; t >= 0; t--) {
      int cut = keeps[t] < live;
      if (cut) FN(keep_largest)(x, together, live, keeps[t]);
      if (cut) live = keeps[t];
      for (long r = 0; r < together; r++) {
        if (cut || t == keep_count - 1) sum[r] = FN(sum_lanes)(x[r], (live + 15) & ~15L);
        sums[t] = sums[t] + (double)weights[first + r] * sum[r];
      }
    }
  }
}

// Sums of rows that lie apart, in their order, with one pass over the sums.
static void FN(add_each)(const float *const *rows, long row_count, long count, float *sums) {
  long i = 0;
  for (; i + 16 <= count; i += 16) {
    v16 sum, row;
    memcpy(&sum, sums + i, sizeof sum);
    for (long r = 0; r < row_count; r++) {
      memcpy(&row, rows[r] + i, sizeof row);
      sum = sum + row;
    }
    memcpy(sums + i, &sum, sizeof sum);
  }
  for (; i < count; i++)
    for (long r = 0; r < row_count; r++) sums[i] = sums[i] + rows[r][i];
}

// Eight rows at a time, as lanes. Every sum is one chain of additions over ascending i or j.
static void FN(quadratic_forms)(const float *x, const float *y, long rows, long d, const double *matrix, double *forms, double *room) {
  enum { BLOCK = 4 };
  for (long first = 0; first < rows; first += 8) {
    long live = rows - first < 8 ? rows - first : 8;
    for (long r = 0; r < 8; r++) {
      long row = (first + (r < live ? r : 0)) * d;
      // Not vectorised: strided stores in vectors are slower than one by one.
      _Pragma("clang loop vectorize(disable)") for (long i = 0; i < d; i++)
        room[8 * i + r] = y ? (double)x[row + i] - (double)y[row + i] : (double)x[row + i];
    }
    d8 form = {};
    for (long i = 0; i < d; i += BLOCK) {
      long width = d - i < BLOCK ? d - i : BLOCK;
      const double *left[BLOCK];
      for (int b = 0; b < BLOCK; b++) left[b] = matrix + (i + (b < width ? b : 0)) * d;
      d8 sum[BLOCK] = {}, lanes;
      for (long j = 0; j < d; j++) {
        memcpy(&lanes, room + 8 * j, sizeof lanes);
        for (int b = 0; b < BLOCK; b++) sum[b] = sum[b] + left[b][j] * lanes;
      }
      for (int b = 0; b < width; b++) {
        memcpy(&lanes, room + 8 * (i + b), sizeof lanes);
        form = form + lanes * sum[b];
      }
    }
    for (long r = 0; r < live; r++) forms[first + r] = form[r];
  }
}

// Blocks of 4 x 8 of the result stay in registers while the rows run, ascending.
static void FN(add_gram)(const float *x, long ldx, long rows, long d, const double *weights, double *gram) {
  enum { BLOCK = 4, LANES = 8 };
  for (long i = 0; i < d; i += BLOCK) {
    long height = d - i < BLOCK ? d - i : BLOCK;
    for (long j = 0; j < d; j += LANES) {
      // The last lanes start earlier where d is no multiple of 8; those that are done already are dropped.
      long first = j + LANES <= d ? j : d < LANES ? 0 : d - LANES, width = d - first < LANES ? d - first : LANES;
      d8 sum[BLOCK] = {};
      for (int b = 0; b < height; b++) memcpy(&sum[b], gram + (i + b) * d + first, sizeof(double) * (size_t)width);
      for (long r = 0; r < rows; r++) {
        const float *row = x + r * ldx;
        v8 lanes = {};
        if (width == LANES) memcpy(&lanes, row + first, sizeof lanes);
        else for (long l = 0; l < width; l++) lanes[l] = row[first + l];
        d8 right = __builtin_convertvector(lanes, d8);
        for (int b = 0; b < BLOCK; b++) {
          double left = row[i + (b < height ? b : 0)];
          if (weights) left = weights[r] * left;
          sum[b] = sum[b] + left * right;
        }
      }
      for (int b = 0; b < height; b++)
        for (long l = j - first; l < width; l++) gram[(i + b) * d + first + l] = sum[b][l];
    }
  }
}
#undef FN
#undef CAT
#undef CAT_
#undef SUFFIX
