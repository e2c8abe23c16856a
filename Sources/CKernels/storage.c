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

// The largest magnitude of a row; NaN if any value is not finite.
static float largest(const float *x, long d) {
  float most = 0;
  uint32_t worst = 0;
  for (long i = 0; i < d; i++) {
    float magnitude = fabsf(x[i]);
    uint32_t bits;
    memcpy(&bits, &magnitude, 4);
    worst = bits > worst ? bits : worst;
    most = magnitude > most ? magnitude : most;
  }
  return worst >= 0x7f800000u ? NAN : most;
}

// The nearest whole number in -limit ... limit, ties to even; anything for NaN, whose scale says so.
static inline int nearest(float x, float limit) {
  x = x >= -limit ? (x <= limit ? x : limit) : -limit;
  return (int)((x + 12582912.0f) - 12582912.0f);
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
  int8_t *codes = (int8_t *)(to + 4);
  for (long i = 0; i < d; i++) codes[i] = (int8_t)nearest(x[i] * inverse, 127.0f);
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

static inline float level(float u) { return u * (LEVEL_A + LEVEL_B * (u * u)); }

static inline int can_turn(long n) { return (n & (n - 1)) == 0; }

// x = H x / sqrt(n) in place, n a power of two: its own inverse.
static inline __attribute__((always_inline)) void turn(float *x, const long n) {
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

// The steps of |y| / scale: how many of the seven midpoints between the positive levels lie below it.
static void steps(const float *magnitudes, long n, float scale, uint8_t *step) {
  memset(step, 0, (size_t)n);
  for (int j = 0; j < HALF_LEVELS - 1; j++) {
    float midpoint = scale * (0.5f * (level((float)j + 0.5f) + level((float)j + 1.5f)));
    for (long i = 0; i < n; i++) step[i] = (uint8_t)(step[i] + (magnitudes[i] > midpoint));
  }
}

static float rounded_scale(float scale) {
  uint16_t half;
  encode_bfloat16(&scale, 1, (uint8_t *)&half);
  decode_bfloat16((const uint8_t *)&half, 1, &scale);
  return scale;
}

typedef struct {
  float scale;
  double error;  // squared
  uint8_t step[BLOCK];
} int4_fit;

// Fits scale and steps to y: three first guesses at the scale (root mean square, largest magnitude, and halfway), each
// improved once by least squares over the levels it gives; the least squared error wins, ties to the first.
static int4_fit fit_int4(const float *y, long n) {
  int4_fit best = {0, 0, {0}};
  float most = largest(y, n), magnitudes[BLOCK];
  if (most < SMALLEST) return best;
  double squares = 0;
  for (long i = 0; i < n; i++) {
    magnitudes[i] = fabsf(y[i]);
    squares += (double)y[i] * (double)y[i];
  }
  float wide = most / level(7.5f), narrow = (float)sqrt(squares / (double)n);
  const float guesses[3] = {narrow, 0.5f * (narrow + wide), wide};
  best.scale = NAN;
  best.error = INFINITY;
  for (int g = 0; g < 3; g++) {
    int4_fit fit = {0, 0, {0}};
    double product = 0, norm = 0;
    steps(magnitudes, n, guesses[g], fit.step);
    for (long i = 0; i < n; i++) {
      double l = (double)level((float)fit.step[i] + 0.5f);
      product += (double)magnitudes[i] * l;
      norm += l * l;
    }
    fit.scale = rounded_scale((float)(product / norm));
    steps(magnitudes, n, fit.scale, fit.step);
    for (long i = 0; i < n; i++) {
      double d = (double)magnitudes[i] - (double)fit.scale * (double)level((float)fit.step[i] + 0.5f);
      fit.error += d * d;
    }
    if (fit.error < best.error) best = fit;
  }
  return best;
}

static void encode_int4_block(const float *x, long n, uint8_t *to) {
  float turned[BLOCK];
  const float *y = x;
  int4_fit best = fit_int4(x, n);
  best.scale = -best.scale;
  if (can_turn(n)) {
    memcpy(turned, x, sizeof(float) * (size_t)n);
    turn(turned, n);
    int4_fit fit = fit_int4(turned, n);
    if (fit.error < best.error) {
      best = fit;
      y = turned;
    }
  }
  encode_bfloat16(&best.scale, 1, to);
  long half = (n + 1) / 2;
  for (long i = 0; i < half; i++) {
    uint8_t low = y[i] < 0 ? (uint8_t)(7 - best.step[i]) : (uint8_t)(8 + best.step[i]), high = 0;
    if (i + half < n) high = y[i + half] < 0 ? (uint8_t)(7 - best.step[i + half]) : (uint8_t)(8 + best.step[i + half]);
    to[2 + i] = (uint8_t)(low | high << 4);
  }
}

static inline __attribute__((always_inline)) void decode_int4_block(const uint8_t *from, const long n, float *x) {
  float stored;
  decode_bfloat16(from, 1, &stored);
  const float scale = fabsf(stored);
  const long half = (n + 1) / 2;
  for (long i = 0; i < half; i++) x[i] = scale * level((float)(from[2 + i] & 15) - 7.5f);
  for (long i = half; i < n; i++) x[i] = scale * level((float)(from[2 + i - half] >> 4) - 7.5f);
  if (!signbit(stored)) turn(x, n);
}

static size_t int4_block_bytes(long n) { return 2 + (size_t)(n + 1) / 2; }

static void encode_int4(const float *x, long d, uint8_t *to) {
  for (long first = 0; first < d; first += BLOCK) {
    long n = d - first < BLOCK ? d - first : BLOCK;
    encode_int4_block(x + first, n, to);
    to += int4_block_bytes(n);
  }
}

static void decode_int4(const uint8_t *from, long d, float *x) {
  long first = 0;
  for (; first + BLOCK <= d; first += BLOCK, from += int4_block_bytes(BLOCK)) decode_int4_block(from, BLOCK, x + first);
  if (first < d) decode_int4_block(from, d - first, x + first);
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
