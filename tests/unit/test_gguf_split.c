/* A model in several files: the parts joined give the model in one, and what is
 * not the next part is refused. */
#include "model.h"

#include "tiny_model.h"

enum { N_PARTS = 3 };

typedef struct part {
    uint8_t *bytes;
    size_t n, header;
} part;

static part parts[N_PARTS];

/* Part i as the options have it, and of how many. */
static part write_part(tiny_options o, uint32_t i, uint32_t n) {
    o.part = i;
    o.n_parts = n;
    part p = {.header = tiny_write(&o)};
    p.n = blob.n;
    p.bytes = malloc(p.n);
    memcpy(p.bytes, blob.bytes, blob.n);
    return p;
}

static void write_parts(void) {
    for (uint32_t i = 0; i < N_PARTS; i++)
        parts[i] = write_part(tiny_defaults(), i, N_PARTS);
}

static void free_parts(void) {
    for (uint32_t i = 0; i < N_PARTS; i++) free(parts[i].bytes);
}

/* Reads the headers of parts[order[..n)]. */
static pipit_status read_parts(pipit_file *f, const uint32_t *order, size_t n,
                               size_t piece, pipit_error *error) {
    for (size_t i = 0; i < n; i++) {
        const part *p = &parts[order[i]];
        size_t taken;
        pipit_status s = PIPIT_OK;
        if (i > 0) s = pipit_file_next_part(f, p->n, error);
        if (s == PIPIT_OK)
            s = feed_all(f, p->bytes, p->n, piece, &taken, error);
        if (s != PIPIT_OK) return s;
        CHECK_EQ_U64(taken, p->header);
        CHECK_EQ_U64(pipit_file_header_bytes(f), p->header);
    }
    return PIPIT_OK;
}

/* The error of reading them in that order, and opening a model. */
static pipit_error error_of(const uint32_t *order, size_t n) {
    pipit_error error = {0};
    pipit_engine *engine;
    pipit_model *model = NULL;
    pipit_file *f;
    CHECK(pipit_file_open(0, NULL, &f) == PIPIT_OK);
    CHECK(pipit_engine_open(1, "scalar", NULL, &engine) == PIPIT_OK);
    if (read_parts(f, order, n, SIZE_MAX, &error) == PIPIT_OK)
        CHECK(pipit_model_open(f, engine, NULL, &model, &error) < 0);
    pipit_model_close(model);
    pipit_engine_close(engine);
    pipit_file_close(f);
    return error;
}

static void the_parts_are_the_whole(void) {
    tiny_options o = tiny_defaults();
    tiny whole = tiny_open(&o);
    write_parts();
    for (size_t i = 0; i < 3; i++) {
        pipit_error error = {0};
        tiny t = {0};
        pipit_status s;
        CHECK(pipit_file_open(parts[0].n, NULL, &t.file) == PIPIT_OK);
        CHECK(read_parts(t.file, (uint32_t[]){0, 1, 2}, 3, pieces[i], &error) ==
              PIPIT_OK);
        CHECK_EQ_U64(pipit_file_n_parts(t.file), 3);
        CHECK_EQ_U64(pipit_file_n_tensors(t.file),
                     pipit_file_n_tensors(whole.file));
        CHECK(pipit_engine_open(1, "scalar", NULL, &t.engine) == PIPIT_OK);
        s = pipit_model_open(t.file, t.engine, NULL, &t.model, &error);
        for (size_t k = 0; CHECK(s >= 0) && k < N_PARTS; k++) {
            const part *p = &parts[k];
            size_t step = pieces[i] < p->n ? pieces[i] : p->n;
            for (size_t at = p->header; at < p->n; at += step)
                pipit_model_feed(t.model, p->bytes + at,
                                 p->n - at < step ? p->n - at : step, NULL);
            s = pipit_model_end(t.model, &error);
            CHECK(s == (k + 1 < N_PARTS ? PIPIT_PENDING : PIPIT_OK));
        }
        CHECK(whole.model->block_bytes == t.model->block_bytes);
        pipit_session *a = tiny_session(&whole, 8), *b = tiny_session(&t, 8);
        CHECK(pipit_session_eval(a, (uint32_t[]){1, 7, 3}, 3, 0, NULL, NULL,
                                 NULL) == PIPIT_OK);
        CHECK(pipit_session_eval(b, (uint32_t[]){1, 7, 3}, 3, 0, NULL, NULL,
                                 NULL) == PIPIT_OK);
        CHECK(memcmp(pipit_session_logits(a, 0), pipit_session_logits(b, 0),
                     TINY_VOCAB * sizeof(float)) == 0);
        pipit_session_close(a);
        pipit_session_close(b);
        tiny_close(&t);
    }
    tiny_close(&whole);
    free_parts();
}

static void a_part_that_is_not_the_next_is_named(void) {
    write_parts();
    pipit_error e = error_of((uint32_t[]){0, 2, 1}, 3);
    CHECK_EQ_I64(e.status, PIPIT_E_MODEL);
    CHECK_HOLDS(e.message, "part 3 of 3 is given where part 2 of 3 belongs");
    e = error_of((uint32_t[]){0, 1, 1}, 3);
    CHECK_HOLDS(e.message, "part 2 of 3 is given where part 3 of 3 belongs");
    e = error_of((uint32_t[]){0, 1}, 2);
    CHECK_HOLDS(e.message, "part 3 of 3 of the model is missing");
    e = error_of((uint32_t[]){0}, 1);
    CHECK_HOLDS(e.message, "part 2 of 3 of the model is missing");
    e = error_of((uint32_t[]){1}, 1);
    CHECK_HOLDS(e.message, "this is part 2 of a model in 3 files");
    e = error_of((uint32_t[]){1, 2}, 2);
    CHECK_HOLDS(e.message, "begin with part 1");
    e = error_of((uint32_t[]){0, 1, 2, 2}, 4);
    CHECK_EQ_I64(e.status, PIPIT_E_ARGUMENT);
    CHECK_HOLDS(e.message, "no part 4");
    free(parts[1].bytes);
    parts[1] = write_part(tiny_defaults(), 1, 4);
    e = error_of((uint32_t[]){0, 1, 2}, 3);
    CHECK_HOLDS(e.message, "part 2 of 4 is given where part 2 of 3 belongs");
    free_parts();
}

static void parts_that_contradict_each_other(void) {
    static const char key[] = "split.tensors.count";
    write_parts();
    uint8_t *count = parts[0].bytes;
    while (memcmp(count, key, sizeof key - 1) != 0) count++;
    count += sizeof key - 1 + 4; /* and its type */
    ++*count;
    pipit_error e = error_of((uint32_t[]){0, 1, 2}, 3);
    CHECK_HOLDS(e.message, key);
    --*count;
    tiny_options o = tiny_defaults();
    o.without = "blk.2.ffn_up.weight"; /* so that the borders move */
    free(parts[2].bytes);
    parts[2] = write_part(o, 2, N_PARTS);
    e = error_of((uint32_t[]){0, 1, 2}, 3);
    CHECK_EQ_I64(e.status, PIPIT_E_FORMAT);
    CHECK_HOLDS(e.message, "appears twice");
    free_parts();
}

static void errors_point_into_the_part(void) {
    write_parts();
    parts[1].n = parts[1].header + 1000;
    pipit_error e = error_of((uint32_t[]){0, 1, 2}, 3);
    CHECK_EQ_I64(e.status, PIPIT_E_TRUNCATED);
    CHECK(e.offset < parts[1].header);
    CHECK_HOLDS(e.message, "but the file has only");
    memcpy(parts[1].bytes, "FUGG", 4);
    e = error_of((uint32_t[]){0, 1, 2}, 3);
    CHECK_EQ_I64(e.status, PIPIT_E_FORMAT);
    CHECK_EQ_U64(e.offset, 0);
    parts[1].n = 10;
    e = error_of((uint32_t[]){0, 1, 2}, 3);
    CHECK(e.status < 0);
    free_parts();
}

static void a_torn_part_names_the_tensor(void) {
    pipit_error error = {0};
    tiny t = {0};
    write_parts();
    CHECK(pipit_file_open(0, NULL, &t.file) == PIPIT_OK);
    CHECK(read_parts(t.file, (uint32_t[]){0, 1, 2}, 3, 100, NULL) == PIPIT_OK);
    CHECK(pipit_engine_open(1, "scalar", NULL, &t.engine) == PIPIT_OK);
    CHECK(pipit_model_open(t.file, t.engine, NULL, &t.model, NULL) == PIPIT_OK);
    CHECK(pipit_model_feed(t.model, parts[0].bytes + parts[0].header,
                           parts[0].n - parts[0].header, NULL) ==
          PIPIT_PENDING);
    CHECK(pipit_model_end(t.model, NULL) == PIPIT_PENDING);
    CHECK(pipit_model_end(t.model, &error) == PIPIT_E_TRUNCATED);
    CHECK_EQ_U64(error.offset, parts[1].header);
    CHECK_HOLDS(error.message, "blk.");
    tiny_close(&t);
    free_parts();
}

int main(void) {
    CASE(the_parts_are_the_whole);
    CASE(a_part_that_is_not_the_next_is_named);
    CASE(parts_that_contradict_each_other);
    CASE(errors_point_into_the_part);
    CASE(a_torn_part_names_the_tensor);
    return check_done();
}
