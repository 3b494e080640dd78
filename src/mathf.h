/* mathf.h — elementary functions of our own, so that no libm decides a bit.
 * Plain IEEE multiply, add, divide and sqrt in a fixed order; the SIMD kernels
 * repeat the f32 ones lane by lane with the same operations. */
#ifndef PIPIT_MATHF_H
#define PIPIT_MATHF_H

/* For x <= 0, in half of the steps: error < 2.5 ulp; 0 below -87 and for NaN. */
float pipit_expf_below_0(float x);
float pipit_expf(float x);  /* error < 2 ulp; 0 below -103, inf above 88.73 */
float pipit_tanhf(float x);
double pipit_exp(double x);
double pipit_log(double x); /* -inf at 0, NaN below */
double pipit_pow(double x, double y); /* x > 0 */
void pipit_sincos(double x, double *sine, double *cosine); /* |x| < 2^30 */
float pipit_sqrtf(float x); /* correctly rounded */
double pipit_sqrt(double x);

#endif
