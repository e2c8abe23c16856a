// How one row of D float32 values is stored as bytes, and read back. Every row is self-contained and unaligned; every
// operation is one correctly rounded float32 step in a fixed order, so all instruction sets give the same bytes.
#include "CKernels.h"
#include <float.h>
#include <math.h>
#include <string.h>

#pragma clang fp contract(off)

// Rows whose largest magnitude is below this are stored as zeros: their inverse scale would overflow.
static const float SMALLEST = 1e-30f;
enum { INT4_BLOCK = 32 };

size_t vk_row_bytes(int format, long d) {
  switch (format) {
    case VK_BFLOAT16: return 2 * (size_t)d;
    case VK_INT8: return 4 + (size_t)d;
    case VK_INT4: return 2 * (size_t)((d + INT4_BLOCK - 1) / INT4_BLOCK) + (size_t)(d + 1) / 2;
    default: return 4 * (size_t)d;
  }
}

// The largest magnitude of a row; NaN if any value is not finite. Magnitudes are ordered as their bits are.
static inline float largest(const float *x, long d) {
  uint32_t most = 0;
  for (long i = 0; i < d; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    bits &= 0x7fffffffu;
    most = bits > most ? bits : most;
  }
  float magnitude;
  memcpy(&magnitude, &most, 4);
  return most >= 0x7f800000u ? NAN : magnitude;
}

static void encode_bfloat16(const float *x, long d, uint8_t *to) {
  for (long i = 0; i < d; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
    // A NaN stays one: rounding could carry its payload into infinity.
    uint16_t half = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40 : rounded);
    memcpy(to + 2 * i, &half, 2);
  }
}

static void decode_bfloat16(const uint8_t *from, long d, float *x) {
  for (long i = 0; i < d; i++) {
    uint16_t half;
    memcpy(&half, from + 2 * i, 2);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(x + i, &bits, 4);
  }
}

static void encode_int8(const float *x, long d, uint8_t *to) {
  float most = largest(x, d), scale = most < SMALLEST ? 0 : most / 127.0f, inverse = most < SMALLEST ? 0 : 127.0f / most;
  memcpy(to, &scale, 4);
  // 1.5 * 2^23 leaves the nearest whole number (ties to even) in the low bits, in two's complement: at most 127, because
  // no value is larger than the largest. Anything for NaN, whose scale says so.
  for (long i = 0; i < d; i++) {
    float shifted = x[i] * inverse + 12582912.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    to[4 + i] = (uint8_t)bits;
  }
}

static void decode_int8(const uint8_t *from, long d, float *x) {
  float scale;
  memcpy(&scale, from, 4);
  const int8_t *codes = (const int8_t *)(from + 4);
  for (long i = 0; i < d; i++) x[i] = (float)codes[i] * scale;
}

// ---- 4 bits ----------------------------------------------------------------------------------------------------
// Blocks of 32 channels with 16 levels scale * L(u), u = -7.5 ... 7.5, L(u) = u (A + B u^2): a least-squares cubic
// through the optimal (Lloyd-Max) levels of a unit normal variable, which needs no table. A block is quantised as it is
// or turned by a Hadamard matrix, whichever gives the smaller error: what stands out in one channel becomes a little of
// all of them, and the other way round. Stored: the scale as bfloat16, its sign bit set if the block is not turned, then
// u + 7.5 in four bits, channel i below channel i + 16.
enum { BLOCK = INT4_BLOCK, HALF_LEVELS = 8 };
static const float LEVEL_A = 0.2352634519f, LEVEL_B = 0.0021799530f;

// A block as one vector; always inlined, so that no vector crosses a call and each path is compiled for its own
// instruction set.
#pragma clang diagnostic ignored "-Wpsabi"
#define INLINE static inline __attribute__((always_inline))
typedef float v32 __attribute__((ext_vector_type(32)));
typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v4 __attribute__((ext_vector_type(4)));
typedef int i32x __attribute__((ext_vector_type(32)));

INLINE v32 load32(const float *p) { v32 x; memcpy(&x, p, sizeof x); return x; }
INLINE float level(float u) { return u * (LEVEL_A + LEVEL_B * (u * u)); }
INLINE v32 level32(v32 u) { return u * (LEVEL_A + LEVEL_B * (u * u)); }
// The midpoint between the positive levels j + 0.5 and j + 1.5.
INLINE float midpoint(int j) { return 0.5f * (level((float)j + 0.5f) + level((float)j + 1.5f)); }

static inline int can_turn(long n) { return (n & (n - 1)) == 0; }

// x = H x / sqrt(n) in place, n a power of two: its own inverse.
INLINE void turn(float *x, const long n) {
  for (long half = 1; half < n; half *= 2)
    for (long i = 0; i < n; i += 2 * half)
      for (long j = i; j < i + half; j++) {
        float a = x[j], b = x[j + half];
        x[j] = a + b;
        x[j + half] = a - b;
      }
  float factor = 1.0f / sqrtf((float)n);
  for (long i = 0; i < n; i++) x[i] *= factor;
}

// One sum of 32 products, in halves: the same order whatever the instruction set.
INLINE float dot(v32 a, v32 b) {
  v32 x = a * b;
  v16 half = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) +
             __builtin_shufflevector(x, x, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  v8 quarter = half.lo + half.hi;
  v4 eighth = quarter.lo + quarter.hi;
  return (eighth.x + eighth.z) + (eighth.y + eighth.w);
}

// How many midpoints lie below each magnitude / scale, negated.
INLINE v32 negative_steps(v32 magnitudes, float scale) {
  v32 steps = (v32){};
  _Pragma("clang loop unroll(full)") for (int j = 0; j < HALF_LEVELS - 1; j++)
    steps = steps + __builtin_convertvector((i32x)(magnitudes > (v32){} + scale * midpoint(j)), v32);
  return steps;
}

// The positive level nearest to each magnitude / scale.
INLINE v32 nearest_levels(v32 magnitudes, float scale) { return level32(0.5f - negative_steps(magnitudes, scale)); }

typedef struct {
  float scale;
  double explained;  // the part of the squares that the levels hold
} int4_fit;

// Fits a scale to the first n values of y, the others 0: three guesses (root mean square, largest magnitude, and
// halfway), each improved by least squares over the levels L it gives, which then hold (m . L)^2 / L . L of the squares
// of the magnitudes m; the one that holds most wins, ties to the first.
INLINE int4_fit fit_int4(v32 y, v32 counts, long n, float most) {
  int4_fit best = {0, 0};
  if (most < SMALLEST) return best;
  // Magnitudes as parts of the largest, so that squares stay in range; beyond the block's end nothing counts.
  v32 magnitudes = (v32)((i32x)y & 0x7fffffff) / most;
  float wide = 1.0f / level(7.5f), narrow = sqrtf(dot(magnitudes, magnitudes) / (float)n), held = 0, factor = NAN;
  const float guesses[3] = {narrow, 0.5f * (narrow + wide), wide};
  _Pragma("clang loop unroll(full)") for (int g = 0; g < 3; g++) {
    v32 levels = counts * nearest_levels(magnitudes, guesses[g]);
    float product = dot(magnitudes, levels), norm = dot(levels, levels), explained = product * product / norm;
    if (explained > held) {
      held = explained;
      factor = product / norm;
    }
  }
  best.scale = most * factor;
  best.explained = (double)held * (double)most * (double)most;
  return best;
}

INLINE void encode_int4_block(const float *x, const long n, uint8_t *to) {
  float plain[BLOCK] = {0}, turned[BLOCK] = {0}, ones[BLOCK] = {0};
  const float *y = plain;
  memcpy(plain, x, sizeof(float) * (size_t)n);
  for (long i = 0; i < n; i++) ones[i] = 1;
  int4_fit best = fit_int4(load32(plain), load32(ones), n, largest(plain, n));
  best.scale = -best.scale;
  if (can_turn(n)) {
    memcpy(turned, plain, sizeof turned);
    turn(turned, n);
    int4_fit fit = fit_int4(load32(turned), load32(ones), n, largest(turned, n));
    if (fit.explained > best.explained) {
      best = fit;
      y = turned;
    }
  }
  encode_bfloat16(&best.scale, 1, to);
  decode_bfloat16(to, 1, &best.scale);
  v32 values = load32(y), magnitudes = (v32)((i32x)values & 0x7fffffff);
  i32x steps = __builtin_convertvector(-negative_steps(magnitudes, fabsf(best.scale)), i32x);
  i32x negative = values < (v32){}, codes = ((7 - steps) & negative) | ((8 + steps) & ~negative);
  int code[BLOCK];
  memcpy(code, &codes, sizeof code);
  long half = (n + 1) / 2;
  for (long i = n; i < 2 * half; i++) code[i] = 0;
  for (long i = 0; i < half; i++) to[2 + i] = (uint8_t)(code[i] | code[i + half] << 4);
}

INLINE void decode_int4_block(const uint8_t *from, const long n, float *x) {
  float stored;
  decode_bfloat16(from, 1, &stored);
  const float scale = fabsf(stored);
  const long half = (n + 1) / 2;
  for (long i = 0; i < half; i++) x[i] = scale * level((float)(from[2 + i] & 15) - 7.5f);
  for (long i = half; i < n; i++) x[i] = scale * level((float)(from[2 + i - half] >> 4) - 7.5f);
  if (!signbit(stored)) turn(x, n);
}

INLINE size_t int4_block_bytes(long n) { return 2 + (size_t)(n + 1) / 2; }

INLINE void encode_int4_body(const float *x, long d, uint8_t *to) {
  long first = 0;
  for (; first + BLOCK <= d; first += BLOCK, to += int4_block_bytes(BLOCK)) encode_int4_block(x + first, BLOCK, to);
  if (first < d) encode_int4_block(x + first, d - first, to);
}

INLINE void decode_int4_body(const uint8_t *from, long d, float *x) {
  long first = 0;
  for (; first + BLOCK <= d; first += BLOCK, from += int4_block_bytes(BLOCK)) decode_int4_block(from, BLOCK, x + first);
  if (first < d) decode_int4_block(from, d - first, x + first);
}

static void encode_int4_plain(const float *x, long d, uint8_t *to) { encode_int4_body(x, d, to); }
static void decode_int4_plain(const uint8_t *from, long d, float *x) { decode_int4_body(from, d, x); }
#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2")))
AVX2 static void encode_int4_avx2(const float *x, long d, uint8_t *to) { encode_int4_body(x, d, to); }
AVX2 static void decode_int4_avx2(const uint8_t *from, long d, float *x) { decode_int4_body(from, d, x); }
AVX512 static void encode_int4_avx512(const float *x, long d, uint8_t *to) { encode_int4_body(x, d, to); }
AVX512 static void decode_int4_avx512(const uint8_t *from, long d, float *x) { decode_int4_body(from, d, x); }
#endif

static void encode_int4(const float *x, long d, uint8_t *to) {
#if defined(__x86_64__)
  int isa = vk_isa();
  if (isa == 2) { encode_int4_avx512(x, d, to); return; }
  if (isa == 1) { encode_int4_avx2(x, d, to); return; }
#endif
  encode_int4_plain(x, d, to);
}

static void decode_int4(const uint8_t *from, long d, float *x) {
#if defined(__x86_64__)
  int isa = vk_isa();
  if (isa == 2) { decode_int4_avx512(from, d, x); return; }
  if (isa == 1) { decode_int4_avx2(from, d, x); return; }
#endif
  decode_int4_plain(from, d, x);
}

void vk_rows_encode(int format, const float *rows, long count, long d, void *bytes) {
  uint8_t *to = bytes;
  size_t each = vk_row_bytes(format, d);
  if (format == VK_FLOAT32) {
    memcpy(to, rows, each * (size_t)count);
    return;
  }
  for (long r = 0; r < count; r++, rows += d, to += each) {
    if (format == VK_BFLOAT16) encode_bfloat16(rows, d, to);
    else if (format == VK_INT8) encode_int8(rows, d, to);
    else encode_int4(rows, d, to);
  }
}

void vk_rows_decode(int format, const void *bytes, long count, long d, float *rows) {
  const uint8_t *from = bytes;
  size_t each = vk_row_bytes(format, d);
  if (format == VK_FLOAT32) {
    memcpy(rows, from, each * (size_t)count);
    return;
  }
  for (long r = 0; r < count; r++, rows += d, from += each) {
    if (format == VK_BFLOAT16) decode_bfloat16(from, d, rows);
    else if (format == VK_INT8) decode_int8(from, d, rows);
    else decode_int4(from, d, rows);
  }
}
