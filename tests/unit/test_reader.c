#include "check.h"
#include "reader.h"

static void reads_in_order(void) {
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    pipit_reader r = pipit_reader_of(bytes, sizeof bytes);
    CHECK_EQ_U64(pipit_read_u8(&r), 1);
    CHECK_EQ_U64(pipit_read_u16(&r), 0x0302);
    CHECK_EQ_U64(pipit_read_u32(&r), 0x07060504);
    CHECK_EQ_U64(pipit_read_u64(&r), 0x0F0E0D0C0B0A0908);
    CHECK_EQ_U64(pipit_reader_left(&r), 0);
    CHECK(!r.is_short);
    CHECK(pipit_read_bytes(&r, 0) == bytes + sizeof bytes);
}

/* Every read of every width at every distance from the end. */
static void stays_short(void) {
    uint8_t bytes[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    for (size_t n = 0; n < 8; n++)
        for (size_t width = n + 1; width <= 8; width++) {
            uint8_t *exact = malloc(n + 1);
            memcpy(exact + 1, bytes, n); /* odd address, nothing after it */
            pipit_reader r = pipit_reader_of(exact + 1, n);
            uint64_t value = width == 8   ? pipit_read_u64(&r)
                             : width >= 4 ? pipit_read_u32(&r)
                             : width >= 2 ? pipit_read_u16(&r)
                                          : pipit_read_u8(&r);
            size_t read = width == 8 ? 8 : width >= 4 ? 4 : width >= 2 ? 2 : 1;
            if (read <= n) {
                CHECK(!r.is_short && value != 0);
            } else {
                CHECK(r.is_short && value == 0);
                CHECK_EQ_U64(r.at, 0);
                CHECK_EQ_U64(pipit_read_u8(&r), 0); /* though it is there */
                CHECK(pipit_read_bytes(&r, 0) == NULL);
            }
            free(exact);
        }
}

static void huge_lengths_are_short(void) {
    const uint8_t bytes[4] = {0};
    const uint64_t lengths[] = {5, UINT32_MAX, (uint64_t)1 << 32,
                                UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < 5; i++) {
        pipit_reader r = pipit_reader_of(bytes, 4);
        pipit_read_u8(&r);
        CHECK(pipit_read_bytes(&r, lengths[i]) == NULL);
        CHECK(r.is_short);
        CHECK_EQ_U64(r.at, 1);
    }
}

int main(void) {
    CASE(reads_in_order);
    CASE(stays_short);
    CASE(huge_lengths_are_short);
    return check_done();
}
