#include "CKernels.h"
#if defined(__APPLE__)
#include <Accelerate/Accelerate.h>
typedef __LAPACK_int blas_int;
static void single_thread(void) {}
#else
#include <cblas.h>
typedef blasint blas_int;
static void single_thread(void) { openblas_set_num_threads(1); }
#endif

void vk_gemm_blas(const float *a, long lda, long m, long k, const float *w, long n, const float *bias, float *c, long ldc) {
  // LinearLayer calls this once for the whole product, which runs on the calling thread: workers of the BLAS would spin
  // against our own pool between products.
  single_thread();
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blas_int)m, (blas_int)n, (blas_int)k, 1.0f, a, (blas_int)lda, w,
              (blas_int)k, 0.0f, c, (blas_int)ldc);
  if (bias)
    for (long r = 0; r < m; r++)
      for (long j = 0; j < n; j++) c[r * ldc + j] += bias[j];
}
