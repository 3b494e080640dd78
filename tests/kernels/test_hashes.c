/* The same numbers as the WebAssembly modules' (tests/wasm/kernels.test.mjs). */
#include "../unit/check.h"
#include "hashes.h"

static void every_kernel_has_its_hash(void) {
    for (uint32_t k = 0; pipit_kernels_at(k); k++)
        for (uint32_t i = 0; i < N_HASHES; i++) {
            uint64_t made = hash_of(pipit_kernels_at(k), i);
            if (!CHECK(made == hash_expected(i)))
                printf("  %s %s is %#018" PRIx64 "\n",
                       pipit_kernels_at(k)->name, hash_name(i), made);
        }
}

int main(void) {
    CASE(every_kernel_has_its_hash);
    return check_done();
}
