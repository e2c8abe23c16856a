// The transforms of winograd.c, compiled once per instruction set (SUFFIX): additions only, so the bits are the same.
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define FN(name) CAT(name, SUFFIX)

// Transforms 16 channels, or the 1 that remains of them, of a tile: rows and then columns of 4.
#define TRANSFORM_INPUT(type, load, store)                                                                             \
  do {                                                                                                                 \
    type d[4][4], t[4][4];                                                                                             \
    for (int y = 0; y < 4; y++)                                                                                        \
      for (int x = 0; x < 4; x++) d[y][x] = load(at[y][x]);                                                            \
    for (int x = 0; x < 4; x++) {                                                                                      \
      t[0][x] = d[0][x] - d[2][x];                                                                                     \
      t[1][x] = d[1][x] + d[2][x];                                                                                     \
      t[2][x] = d[2][x] - d[1][x];                                                                                     \
      t[3][x] = d[1][x] - d[3][x];                                                                                     \
    }                                                                                                                  \
    for (int y = 0; y < 4; y++) {                                                                                      \
      store(4 * y, t[y][0] - t[y][2]);                                                                                 \
      store(4 * y + 1, t[y][1] + t[y][2]);                                                                             \
      store(4 * y + 2, t[y][2] - t[y][1]);                                                                             \
      store(4 * y + 3, t[y][1] - t[y][3]);                                                                             \
    }                                                                                                                  \
  } while (0)

static void FN(winograd_input)(const vk_winograd *w, long first, long count, float *v) {
  const long c = w->inputs, across = (w->width + 1) / 2, step = count * c;
  for (long n = 0; n < count; n++, v += c) {
    const long top = 2 * ((first + n) / across) - 1, left = 2 * ((first + n) % across) - 1;
    const float *at[4][4];  // NULL: outside the map
    for (int y = 0; y < 4; y++)
      for (int x = 0; x < 4; x++) {
        long row = top + y, column = left + x;
        int inside = row >= 0 && row < w->height && column >= 0 && column < w->width;
        at[y][x] = inside ? w->x + ((row - w->first_row) * w->width + column) * c : NULL;
      }
    long i = 0;
#define LOAD(p) ((p) ? FN(load)((p) + i) : (v16){})
#define STORE(k, value) FN(store)(v + (k) * step + i, value)
    for (; i + 16 <= c; i += 16) TRANSFORM_INPUT(v16, LOAD, STORE);
#undef LOAD
#undef STORE
#define LOAD(p) ((p) ? (p)[i] : 0.0f)
#define STORE(k, value) v[(k) * step + i] = value
    for (; i < c; i++) TRANSFORM_INPUT(float, LOAD, STORE);
#undef LOAD
#undef STORE
  }
}
#undef TRANSFORM_INPUT

#define TRANSFORM_OUTPUT(type, load, finish)                                                                           \
  do {                                                                                                                 \
    type t[2][4];                                                                                                      \
    for (int x = 0; x < 4; x++) {                                                                                      \
      type m0 = load(x), m1 = load(4 + x), m2 = load(8 + x), m3 = load(12 + x);                                        \
      t[0][x] = m0 + m1 + m2;                                                                                          \
      t[1][x] = m1 - m2 - m3;                                                                                          \
    }                                                                                                                  \
    for (int y = 0; y < 2; y++) {                                                                                      \
      finish(y, 0, t[y][0] + t[y][1] + t[y][2]);                                                                       \
      finish(y, 1, t[y][1] - t[y][2] - t[y][3]);                                                                       \
    }                                                                                                                  \
  } while (0)

static void FN(winograd_output)(const vk_winograd *w, const float *m, long first, long count) {
  const long c = w->outputs, across = (w->width + 1) / 2, step = count * c;
  for (long n = 0; n < count; n++, m += c) {
    const long top = 2 * ((first + n) / across), left = 2 * ((first + n) % across);
    float *at[2][2];  // NULL: outside the map
    for (int y = 0; y < 2; y++)
      for (int x = 0; x < 2; x++)
        at[y][x] = top + y < w->height && left + x < w->width ? w->y + ((top + y) * w->width + left + x) * c : NULL;
    long i = 0;
#define LOAD(k) FN(load)(m + (k) * step + i)
#define FINISH(row, column, value)                                                                                     \
  do {                                                                                                                 \
    float *to = at[row][column];                                                                                       \
    if (to) {                                                                                                          \
      v16 sum = (value) + FN(load)(w->bias + i);                                                                       \
      FN(store)(to + i, w->adds ? FN(load)(to + i) + sum : sum);                                                       \
    }                                                                                                                  \
  } while (0)
    for (; i + 16 <= c; i += 16) TRANSFORM_OUTPUT(v16, LOAD, FINISH);
#undef LOAD
#undef FINISH
#define LOAD(k) m[(k) * step + i]
#define FINISH(row, column, value)                                                                                     \
  do {                                                                                                                 \
    float *to = at[row][column];                                                                                       \
    if (to) {                                                                                                          \
      float sum = (value) + w->bias[i];                                                                                \
      to[i] = w->adds ? to[i] + sum : sum;                                                                             \
    }                                                                                                                  \
  } while (0)
    for (; i < c; i++) TRANSFORM_OUTPUT(float, LOAD, FINISH);
#undef LOAD
#undef FINISH
  }
}
#undef TRANSFORM_OUTPUT
#undef FN
#undef CAT
#undef CAT_
#undef SUFFIX
