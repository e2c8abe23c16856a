// Row and element kernels, compiled once per instruction set (rows.c sets SUFFIX). Written over 16 lanes with separate
// multiply and add (no contraction) and a fixed reduction tree, so that every build gives the same bits.
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define FN(name) CAT(name, SUFFIX)

static inline __attribute__((always_inline)) v16 FN(load16)(const float *p) { v16 x; memcpy(&x, p, sizeof x); return x; }
static inline __attribute__((always_inline)) void FN(store16)(float *p, v16 x) { memcpy(p, &x, sizeof x); }
static inline __attribute__((always_inline)) v16 FN(load_some)(const float *p, long n, float fill) {
  v16 x = (v16){} + fill;
  for (long i = 0; i < n; i++) x[i] = p[i];
  return x;
}
static inline __attribute__((always_inline)) void FN(store_some)(float *p, v16 x, long n) { for (long i = 0; i < n; i++) p[i] = x[i]; }
static inline __attribute__((always_inline)) float FN(sum16)(v16 x) {
  float a[16]; memcpy(a, &x, sizeof a);
  for (int w = 8; w >= 1; w /= 2) for (int i = 0; i < w; i++) a[i] = a[i] + a[i + w];
  return a[0];
}
static inline __attribute__((always_inline)) float FN(max16)(v16 x) {
  float a[16]; memcpy(a, &x, sizeof a);
  for (int w = 8; w >= 1; w /= 2) for (int i = 0; i < w; i++) a[i] = a[i] > a[i + w] ? a[i] : a[i + w];
  return a[0];
}
static inline __attribute__((always_inline)) v16 FN(clamp)(v16 x, float low, float high) {
  i16x lowmask = x < low, highmask = x > high;
  v16 l = (v16){} + low, h = (v16){} + high;
  x = (v16)(((i16x)x & ~lowmask) | ((i16x)l & lowmask));
  return (v16)(((i16x)x & ~highmask) | ((i16x)h & highmask));
}
// e^x for x in [-87.3, 88.7] (clamped), relative error below 2e-7: split x = n ln 2 + r, polynomial in r, scale by 2^n.
static inline __attribute__((always_inline)) v16 FN(exp16)(v16 x) {
  x = FN(clamp)(x, -87.33f, 88.72f);
  v16 t = x * 1.44269504f + 12582912.0f;
  v16 n = t - 12582912.0f;
  v16 r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  v16 p = (v16){} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  i16x e = __builtin_convertvector(n, i16x) << 23;
  return (v16)((i16x)p + e);
}
static inline __attribute__((always_inline)) v16 FN(tanh16)(v16 u) {
  // tanh u = 1 - 2 / (e^{2u} + 1); exact at both ends because e^{2u} saturates.
  v16 x = FN(clamp)(u, -15.0f, 15.0f);
  v16 e = FN(exp16)(x + x);
  return 1.0f - 2.0f / (e + 1.0f);
}
static inline __attribute__((always_inline)) v16 FN(gelu16)(v16 x) {
  v16 inner = 0.7978845608f * (x + 0.044715f * (x * x * x));
  return 0.5f * x * (1.0f + FN(tanh16)(inner));
}
static inline __attribute__((always_inline)) v16 FN(silu16)(v16 x) { return x / (1.0f + FN(exp16)(-x)); }

static void FN(moments)(const float *x, long c, float *mean, float *variance) {
  v16 sum = {};
  long i = 0;
  for (; i + 16 <= c; i += 16) sum = sum + FN(load16)(x + i);
  if (i < c) sum = sum + FN(load_some)(x + i, c - i, 0);
  float m = FN(sum16)(sum) / (float)c;
  v16 square = {};
  for (i = 0; i + 16 <= c; i += 16) { v16 d = FN(load16)(x + i) - m; square = square + d * d; }
  if (i < c) { v16 d = FN(load_some)(x + i, c - i, m) - m; square = square + d * d; }
  *mean = m;
  *variance = FN(sum16)(square) / (float)c;
}

static void FN(layer_norm)(const float *x, long rows, long c, float eps, const float *w, const float *b, int plus_one, float *y) {
  float offset = plus_one ? 1.0f : 0.0f;
  for (long r = 0; r < rows; r++, x += c, y += c) {
    float mean, variance;
    FN(moments)(x, c, &mean, &variance);
    float inverse = 1.0f / sqrtf(variance + eps);
    long i = 0;
    for (; i + 16 <= c; i += 16) {
      v16 z = (FN(load16)(x + i) - mean) * inverse;
      if (w) z = z * (FN(load16)(w + i) + offset);
      if (b) z = z + FN(load16)(b + i);
      FN(store16)(y + i, z);
    }
    for (; i < c; i++) {
      float z = (x[i] - mean) * inverse;
      if (w) z = z * (w[i] + offset);
      if (b) z = z + b[i];
      y[i] = z;
    }
  }
}

static void FN(rms_norm)(const float *x, long rows, long c, float eps, const float *w, float *y) {
  for (long r = 0; r < rows; r++, x += c, y += c) {
    v16 square = {};
    long i = 0;
    for (; i + 16 <= c; i += 16) { v16 d = FN(load16)(x + i); square = square + d * d; }
    if (i < c) { v16 d = FN(load_some)(x + i, c - i, 0); square = square + d * d; }
    float inverse = 1.0f / sqrtf(FN(sum16)(square) / (float)c + eps);
    for (i = 0; i < c; i++) y[i] = x[i] * inverse * w[i];
  }
}

static void FN(gelu)(float *x, long count) {
  long i = 0;
  for (; i + 16 <= count; i += 16) FN(store16)(x + i, FN(gelu16)(FN(load16)(x + i)));
  if (i < count) FN(store_some)(x + i, FN(gelu16)(FN(load_some)(x + i, count - i, 0)), count - i);
}

static void FN(silu)(const float *x, long count, float *y) {
  long i = 0;
  for (; i + 16 <= count; i += 16) FN(store16)(y + i, FN(silu16)(FN(load16)(x + i)));
  if (i < count) FN(store_some)(y + i, FN(silu16)(FN(load_some)(x + i, count - i, 0)), count - i);
}

// In place; returns through `entropy` (if not NULL) the entropy in nats of the row.
static void FN(softmax_row)(float *x, long c, double *entropy) {
  v16 most = (v16){} - INFINITY;
  long i = 0;
  for (; i + 16 <= c; i += 16) {
    v16 v = FN(load16)(x + i);
    i16x greater = v > most;
    most = (v16)(((i16x)v & greater) | ((i16x)most & ~greater));
  }
  float top = FN(max16)(most);
  for (; i < c; i++) top = x[i] > top ? x[i] : top;
  if (top == -INFINITY) top = 0;
  v16 sum = {}, weighted = {};
  for (i = 0; i + 16 <= c; i += 16) {
    v16 d = FN(load16)(x + i) - top, e = FN(exp16)(d);
    i16x dead = d < -87.0f;  // masked entries are exactly zero
    e = (v16)((i16x)e & ~dead);
    FN(store16)(x + i, e);
    sum = sum + e;
    if (entropy) weighted = weighted + e * FN(clamp)(d, -88.0f, 0.0f);
  }
  if (i < c) {
    v16 d = FN(load_some)(x + i, c - i, -INFINITY) - top, e = FN(exp16)(d);
    i16x dead = d < -87.0f;
    e = (v16)((i16x)e & ~dead);
    FN(store_some)(x + i, e, c - i);
    sum = sum + e;
    if (entropy) weighted = weighted + e * FN(clamp)(d, -88.0f, 0.0f);
  }
  float total = FN(sum16)(sum), inverse = total > 0 ? 1.0f / total : 0.0f;
  if (entropy) *entropy = total > 0 ? log((double)total) - (double)FN(sum16)(weighted) / (double)total : 0;
  for (i = 0; i < c; i++) x[i] = x[i] * inverse;
}

static void FN(softmax_rows)(float *x, long rows, long c) {
  for (long r = 0; r < rows; r++) FN(softmax_row)(x + r * c, c, NULL);
}

static void FN(add_gated)(float *x, const float *y, const float *gamma, long rows, long c) {
  for (long r = 0; r < rows; r++)
    if (gamma) for (long i = 0; i < c; i++) x[r * c + i] = x[r * c + i] + gamma[i] * y[r * c + i];
    else for (long i = 0; i < c; i++) x[r * c + i] = x[r * c + i] + y[r * c + i];
}

static void FN(l2_normalise)(float *x, long rows, long d, long ld, float factor) {
  for (long r = 0; r < rows; r++, x += ld) {
    v16 square = {};
    long i = 0;
    for (; i + 16 <= d; i += 16) { v16 v = FN(load16)(x + i); square = square + v * v; }
    if (i < d) { v16 v = FN(load_some)(x + i, d - i, 0); square = square + v * v; }
    float norm = sqrtf(FN(sum16)(square));
    float scale = factor / (norm > 1e-12f ? norm : 1e-12f);
    for (i = 0; i < d; i++) x[i] = x[i] * scale;
  }
}

static void FN(add_rows)(const float *x, long rows, long d, const int32_t *slots, const float *coefficients, float *sums) {
  for (long r = 0; r < rows; r++) {
    if (slots[r] < 0) continue;
    const float *restrict from = x + r * d;
    float *restrict to = sums + slots[r] * d;
    float coefficient = coefficients[r];
    long i = 0;
    for (; i + 16 <= d; i += 16) FN(store16)(to + i, FN(load16)(to + i) + coefficient * FN(load16)(from + i));
    for (; i < d; i++) to[i] = to[i] + coefficient * from[i];
  }
}

// Channels last.
static void FN(scale_shift)(const float *x, long pixels, long c, const float *scale, const float *shift, int silu, float *y) {
  for (long p = 0; p < pixels; p++) {
    const float *in = x + p * c;
    float *out = y + p * c;
    long i = 0;
    for (; i + 16 <= c; i += 16) {
      v16 v = FN(load16)(in + i) * FN(load16)(scale + i) + FN(load16)(shift + i);
      if (silu) v = FN(silu16)(v);
      FN(store16)(out + i, v);
    }
    for (; i < c; i++) {
      v16 v = (v16){} + (in[i] * scale[i] + shift[i]);
      if (silu) v = FN(silu16)(v);
      out[i] = v[0];
    }
  }
}

static void FN(add_double)(double *to, const float *from, float weight, long count) {
  for (long i = 0; i < count; i++) to[i] = to[i] + (double)(weight * from[i]);
}

// sums[j, r] += sum over i of x[i, j] * signs[i, r]: one chain of additions an element, i ascending. Signs are +1 or -1,
// so the products are exact and a fused multiply-add gives the same bits as two instructions.
static void FN(add_signed)(const float *x, long ldx, long rows, long count, const float *signs, long sign_count, float *sums) {
#pragma clang fp contract(fast)
  enum { BLOCK = 6 };
  long first = 0;
  for (; first + 16 <= sign_count; first += 16) {
    const float *lanes = signs + first;
    long j = 0;
    for (; j + BLOCK <= count; j += BLOCK) {
      float *to = sums + j * sign_count + first;
      v16 sum[BLOCK];
      _Pragma("clang loop unroll(full)") for (int b = 0; b < BLOCK; b++) sum[b] = FN(load16)(to + b * sign_count);
      for (long i = 0; i < rows; i++) {
        v16 sign = FN(load16)(lanes + i * sign_count);
        _Pragma("clang loop unroll(full)") for (int b = 0; b < BLOCK; b++) sum[b] = sum[b] + x[i * ldx + j + b] * sign;
      }
      _Pragma("clang loop unroll(full)") for (int b = 0; b < BLOCK; b++) FN(store16)(to + b * sign_count, sum[b]);
    }
    for (; j < count; j++) {
      v16 sum = FN(load16)(sums + j * sign_count + first);
      for (long i = 0; i < rows; i++) sum = sum + x[i * ldx + j] * FN(load16)(lanes + i * sign_count);
      FN(store16)(sums + j * sign_count + first, sum);
    }
  }
  for (; first < sign_count; first++)
    for (long j = 0; j < count; j++) {
      float sum = sums[j * sign_count + first];
      for (long i = 0; i < rows; i++) sum = sum + x[i * ldx + j] * signs[i * sign_count + first];
      sums[j * sign_count + first] = sum;
    }
}

static void FN(count_at_least)(const float *x, long count, float limit, long *reached) {
  i16x lanes = {};
  long i = 0, sum = 0;
  for (; i + 16 <= count; i += 16) lanes = lanes - (FN(load16)(x + i) >= limit);
  for (int lane = 0; lane < 16; lane++) sum += lanes[lane];
  for (; i < count; i++) sum += x[i] >= limit;
  *reached = sum;
}

static void FN(places_at_least)(const float *x, long count, float limit, int32_t *places, long *reached) {
  long kept = 0;
  for (long i = 0; i < count; i++) {  // without a branch: which values reach it is noise to a predictor
    places[kept] = (int32_t)i;
    kept += x[i] >= limit;
  }
  *reached = kept;
}

// Philox 4x32-10 of 16 counters at a time.
static void FN(philox)(uint64_t seed, uint32_t c0, const uint32_t *c1, uint32_t c2, uint32_t c3, long count, uint32_t *words) {
  for (long first = 0; first < count; first += 16) {
    long some = count - first < 16 ? count - first : 16;
    uint32_t lanes[4][16] = {};
    memcpy(lanes[1], c1 + first, (size_t)some * sizeof *c1);
    u16x x0 = (u16x){} + c0, x1, x2 = (u16x){} + c2, x3 = (u16x){} + c3;
    memcpy(&x1, lanes[1], sizeof x1);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
      w16x p0 = __builtin_convertvector(x0, w16x) * (uint64_t)0xD2511F53, p1 = __builtin_convertvector(x2, w16x) * (uint64_t)0xCD9E8D57;
      x0 = __builtin_convertvector(p1 >> 32, u16x) ^ x1 ^ k0;
      x1 = __builtin_convertvector(p1, u16x);
      x2 = __builtin_convertvector(p0 >> 32, u16x) ^ x3 ^ k1;
      x3 = __builtin_convertvector(p0, u16x);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    memcpy(lanes[0], &x0, sizeof x0);
    memcpy(lanes[1], &x1, sizeof x1);
    memcpy(lanes[2], &x2, sizeof x2);
    memcpy(lanes[3], &x3, sizeof x3);
    for (long i = 0; i < some; i++)
      for (int word = 0; word < 4; word++) words[4 * (first + i) + word] = lanes[word][i];
  }
}

static void FN(multiply)(float *restrict x, const float *restrict y, long count) {
  for (long i = 0; i < count; i++) x[i] = x[i] * y[i];
}

static void FN(rope)(float *x, long rows, long d, const float *cosines, const float *sines) {
  for (long r = 0; r < rows; r++) {
    const float *c = cosines + r * (d / 2), *s = sines + r * (d / 2);
    float *v = x + r * d;
    long i = 0;
    for (; i + 16 <= d / 2; i += 16) {
      v16 low = FN(load16)(v + 2 * i), high = FN(load16)(v + 2 * i + 16), cosine = FN(load16)(c + i), sine = FN(load16)(s + i);
      v16 a = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      v16 b = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
      v16 first = cosine * a - sine * b, second = sine * a + cosine * b;
      FN(store16)(v + 2 * i, __builtin_shufflevector(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
      FN(store16)(v + 2 * i + 16, __builtin_shufflevector(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
    }
#pragma clang loop vectorize(disable)
    for (; i < d / 2; i++) {
      float a = v[2 * i], b = v[2 * i + 1];
      v[2 * i] = c[i] * a - s[i] * b;
      v[2 * i + 1] = s[i] * a + c[i] * b;
    }
  }
}

static void FN(all_finite)(const float *x, long count, int *finite) {
  uint32_t worst = 0;
  for (long i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    uint32_t magnitude = bits & 0x7fffffffu;
    worst = magnitude > worst ? magnitude : worst;
  }
  *finite = worst < 0x7f800000u;
}

static inline __attribute__((always_inline)) v8 FN(load8)(const float *p) { v8 x; memcpy(&x, p, sizeof x); return x; }
// Rows of 8 numbers -> columns.
static inline __attribute__((always_inline)) void FN(transpose8)(v8 r[8]) {
  v8 a[8], b[8];
  _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i += 2) {
    a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i += 4)
    _Pragma("clang loop unroll(full)") for (int j = 0; j < 2; j++) {
      b[i + 2 * j] = __builtin_shufflevector(a[i + j], a[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      b[i + 2 * j + 1] = __builtin_shufflevector(a[i + j], a[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) {
    r[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}
// Adds `count` channels, at most 8, of eight groups that lie `per` apart: a lane a group. Reads 8 channels of each.
static inline __attribute__((always_inline)) d8 FN(add_channels)(d8 sum, const float *x, long per, const int count, const int squares, d8 mean) {
  v8 r[8];
  _Pragma("clang loop unroll(full)") for (int g = 0; g < 8; g++) r[g] = FN(load8)(x + g * per);
  FN(transpose8)(r);
  _Pragma("clang loop unroll(full)") for (int i = 0; i < count; i++) {
    d8 d = __builtin_convertvector(r[i], d8);
    if (squares) {
      d = d - mean;
      d = d * d;
    }
    sum = sum + d;
  }
  return sum;
}
static inline __attribute__((always_inline)) void FN(add_groups8)(const float *x, long pixels, long c, long per, const int squares, const double *mean, double *sums) {
  d8 sum, m = {};
  memcpy(&sum, sums, sizeof sum);
  if (squares) memcpy(&m, mean, sizeof m);
  long whole = per / 8 * 8;
  for (long p = 0; p < pixels; p++, x += c) {
    for (long i = 0; i < whole; i += 8) sum = FN(add_channels)(sum, x + i, per, 8, squares, m);
    switch (per - whole) {
      case 1: sum = FN(add_channels)(sum, x + whole, per, 1, squares, m); break;
      case 2: sum = FN(add_channels)(sum, x + whole, per, 2, squares, m); break;
      case 3: sum = FN(add_channels)(sum, x + whole, per, 3, squares, m); break;
      case 4: sum = FN(add_channels)(sum, x + whole, per, 4, squares, m); break;
      case 5: sum = FN(add_channels)(sum, x + whole, per, 5, squares, m); break;
      case 6: sum = FN(add_channels)(sum, x + whole, per, 6, squares, m); break;
      case 7: sum = FN(add_channels)(sum, x + whole, per, 7, squares, m); break;
    }
  }
  memcpy(sums, &sum, sizeof sum);
}
// One chain of additions a group, whatever the lanes. Eight groups go together; what is left over goes one by one.
static void FN(group_sums)(const float *x, long pixels, long c, long groups, const double *mean, double *sums) {
  enum { BLOCK = 64 };  // pixels that stay in the nearest cache while all groups take their channels
  long per = c / groups, together = groups / 8 * 8;
  for (long g = 0; g < groups; g++) sums[g] = 0;
  for (long first = 0; first < pixels; first += BLOCK) {
    long count = pixels - first < BLOCK ? pixels - first : BLOCK;
    // Lanes may read up to 7 channels further than they need; the very last pixel has nothing behind it.
    long inside = first + count == pixels && per % 8 ? count - 1 : count;
    const float *from = x + first * c;
    for (long g = 0; g < together; g += 8)
      if (mean) FN(add_groups8)(from + g * per, inside, c, per, 1, mean + g, sums + g);
      else FN(add_groups8)(from + g * per, inside, c, per, 0, NULL, sums + g);
    for (long p = together < groups ? 0 : inside; p < count; p++)
      for (long g = p < inside ? together : 0; g < groups; g++) {
        const float *values = from + p * c + g * per;
        double sum = sums[g];
        for (long i = 0; i < per; i++) {
          double d = values[i];
          if (mean) {
            d = d - mean[g];
            d = d * d;
          }
          sum = sum + d;
        }
        sums[g] = sum;
      }
  }
}
#undef FN
#undef CAT
#undef CAT_
#undef SUFFIX
