#include "pretokenize.h"

#include "unicode.h"

/* ---- characters -------------------------------------------------------- */

typedef struct letter {
    uint32_t point;
    uint32_t in;  /* the set of its class; 0 at the end */
    size_t after; /* where the next one begins */
} letter;

static letter letter_at(const uint8_t *s, size_t at, size_t end) {
    letter c = {0, 0, at};
    size_t taken;
    if (at >= end) return c;
    c.point = pipit_utf8_decode_valid(s + at, &taken);
    c.after = at + taken;
    if (c.point - 'a' < 26)
        c.in = PIPIT_IN(PIPIT_CLASS_LL);
    else
        c.in = PIPIT_IN(pipit_unicode_class_of(c.point));
    return c;
}

/* The end of the characters of these classes from `at` on. */
static size_t run(const uint8_t *s, size_t at, size_t end, uint32_t classes) {
    letter c;
    while ((c = letter_at(s, at, end)).in & classes) at = c.after;
    return at;
}

static size_t run_of_breaks(const uint8_t *s, size_t at, size_t end,
                            bool slashes) {
    while (at < end &&
           (s[at] == '\r' || s[at] == '\n' || (slashes && s[at] == '/')))
        at++;
    return at;
}

static bool is_break(uint32_t point) { return point == '\r' || point == '\n'; }
static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* Applies `match` (the end of its match at a position, 0: none): the match at
 * `at`, or all before the next one. */
static size_t split_by(pipit_split *match, const uint8_t *s, size_t at,
                       size_t end) {
    size_t to = match(s, at, end);
    if (to) return to;
    do at = letter_at(s, at, end).after;
    while (at < end && !match(s, at, end));
    return at;
}

/* ---- parts of the large expressions ------------------------------------ */

/* 's|'t|'re|'ve|'m|'ll|'d after the apostrophe at s[at]; 0: none. */
static size_t contraction(const uint8_t *s, size_t at, size_t end, bool fold) {
    uint8_t fold_bit = fold ? 0x20 : 0;
    if (end - at < 2) return 0;
    uint8_t a = s[at + 1] | fold_bit;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
    if (end - at < 3) return 0;
    uint8_t b = s[at + 2] | fold_bit;
    bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') ||
               (a == 'l' && b == 'l');
    return two ? at + 3 : 0;
}

/* \s+(?!\S)|\s+, after \s*[\r\n]+ if breaks: white space but the last one when
 * something follows; breaks end it at the last of them. */
static size_t spaces(const uint8_t *s, size_t at, size_t end, bool breaks) {
    size_t to = at, last = at, after_break = 0;
    letter c;
    while ((c = letter_at(s, to, end)).in & PIPIT_SPACE) {
        last = to;
        to = c.after;
        if (is_break(c.point)) after_break = to;
    }
    if (breaks && after_break) return after_break;
    return to == end || last == at ? to : last;
}

static size_t numbers(const uint8_t *s, size_t at, size_t end, size_t most) {
    letter c;
    for (; most > 0 && (c = letter_at(s, at, end)).in & PIPIT_NUMBER; most--)
        at = c.after;
    return at;
}

/* ' ?[^\s...]+' at c, where `not` holds \s and more; 0: none. */
static size_t others(const uint8_t *s, letter c, size_t end, uint32_t not) {
    letter first = c.point == ' ' ? letter_at(s, c.after, end) : c;
    if (!first.in || first.in & not) return 0;
    return run(s, first.after, end, ~not);
}

/* ---- the expressions --------------------------------------------------- */

/* GPT2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|
 * \s+(?!\S)|\s+ */
static size_t split_gpt2(const uint8_t *s, size_t at, size_t end) {
    letter c = letter_at(s, at, end);
    size_t to = c.point == '\'' ? contraction(s, at, end, false) : 0;
    if (to) return to;
    letter first = c.point == ' ' ? letter_at(s, c.after, end) : c;
    if (first.in & PIPIT_LETTER) return run(s, first.after, end, PIPIT_LETTER);
    if (first.in & PIPIT_NUMBER) return run(s, first.after, end, PIPIT_NUMBER);
    to = others(s, c, end, PIPIT_SPACE | PIPIT_LETTER | PIPIT_NUMBER);
    return to ? to : spaces(s, at, end, false);
}

/* LLAMA3 and its kin, with the letters W = \p{L} or [\p{L}\p{M}] and at most k
 * digits: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?W+|\p{N}{1,k}|
 *  ?[^\sW\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t split_words(const uint8_t *s, size_t at, size_t end,
                          uint32_t letters, size_t n_digits) {
    letter c = letter_at(s, at, end);
    size_t to = c.point == '\'' ? contraction(s, at, end, true) : 0;
    if (to) return to;
    if (c.in & letters) return run(s, c.after, end, letters);
    if (!(c.in & PIPIT_NUMBER) && !is_break(c.point)) {
        letter first = letter_at(s, c.after, end);
        if (first.in & letters) return run(s, first.after, end, letters);
    }
    if (c.in & PIPIT_NUMBER) return numbers(s, at, end, n_digits);
    to = others(s, c, end, PIPIT_SPACE | PIPIT_NUMBER | letters);
    if (to) return run_of_breaks(s, to, end, false);
    return spaces(s, at, end, true);
}

static size_t split_llama3(const uint8_t *s, size_t at, size_t end) {
    return split_words(s, at, end, PIPIT_LETTER, 3);
}
static size_t split_qwen2(const uint8_t *s, size_t at, size_t end) {
    return split_words(s, at, end, PIPIT_LETTER, 1);
}
static size_t split_qwen35(const uint8_t *s, size_t at, size_t end) {
    return split_words(s, at, end, PIPIT_LETTER | PIPIT_MARK, 1);
}
static size_t split_minicpm5(const uint8_t *s, size_t at, size_t end) {
    return split_words(s, at, end, PIPIT_LETTER, SIZE_MAX);
}

#define EITHER_CASE                                                \
    (PIPIT_IN(PIPIT_CLASS_LM) | PIPIT_IN(PIPIT_CLASS_LO) | PIPIT_MARK)
#define UPPER \
    (EITHER_CASE | PIPIT_IN(PIPIT_CLASS_LU) | PIPIT_IN(PIPIT_CLASS_LT))
#define LOWER (EITHER_CASE | PIPIT_IN(PIPIT_CLASS_LL))

/* UPPER*LOWER+ (*lower) or UPPER+LOWER*, as a regular expression would find
 * them: with no small letter after the capitals, the first form gives capitals
 * back until it ends in a letter that is either. `at`: no match. */
static size_t cased(const uint8_t *s, size_t at, size_t end, bool *lower) {
    size_t to = at, after_either = at;
    letter c;
    while ((c = letter_at(s, to, end)).in & UPPER) {
        to = c.after;
        if (c.in & EITHER_CASE) after_either = to;
    }
    *lower = true;
    if (c.in & LOWER) return run(s, to, end, LOWER);
    if (after_either > at) return after_either;
    *lower = false;
    return to;
}

/* [^\r\n\p{L}\p{N}]?UPPER*LOWER+|[^\r\n\p{L}\p{N}]?UPPER+LOWER*; 0: none. */
static size_t cased_word(const uint8_t *s, size_t at, size_t end) {
    letter c = letter_at(s, at, end);
    bool lower;
    if (c.in & (PIPIT_LETTER | PIPIT_NUMBER) || is_break(c.point)) {
        size_t to = cased(s, at, end, &lower);
        return to > at ? to : 0;
    }
    size_t with = cased(s, c.after, end, &lower);
    if (with > c.after && lower) return with;
    /* A mark may be the sign in front, or the first of the letters. */
    if (c.in & PIPIT_MARK) return cased(s, at, end, &lower);
    return with > c.after ? with : 0;
}

/* cased_word(C?)|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 */
static size_t split_cased(const uint8_t *s, size_t at, size_t end,
                          size_t n_digits, bool contractions) {
    letter c = letter_at(s, at, end);
    size_t to = cased_word(s, at, end);
    if (to) {
        bool quote = contractions && to < end && s[to] == '\'';
        size_t after = quote ? contraction(s, to, end, true) : 0;
        return after ? after : to;
    }
    if (c.in & PIPIT_NUMBER) return numbers(s, at, end, n_digits);
    to = others(s, c, end, PIPIT_SPACE | PIPIT_NUMBER | PIPIT_LETTER);
    if (to) return run_of_breaks(s, to, end, true);
    return spaces(s, at, end, true);
}

static size_t split_tekken(const uint8_t *s, size_t at, size_t end) {
    return split_cased(s, at, end, 1, false);
}
static size_t split_gpt4o(const uint8_t *s, size_t at, size_t end) {
    return split_cased(s, at, end, 3, true);
}

/* ---- the small expressions: numbers ------------------------------------ */

static size_t split_numbers(const uint8_t *s, size_t at, size_t end,
                            size_t most) {
    size_t to = numbers(s, at, end, most);
    return to > at ? to : run(s, at, end, ~PIPIT_NUMBER);
}
/* \p{N} */
static size_t split_number(const uint8_t *s, size_t at, size_t end) {
    return split_numbers(s, at, end, 1);
}
/* \p{N}{1,3} */
static size_t split_3_numbers(const uint8_t *s, size_t at, size_t end) {
    return split_numbers(s, at, end, 3);
}
/* \p{N}+ */
static size_t split_all_numbers(const uint8_t *s, size_t at, size_t end) {
    return split_numbers(s, at, end, SIZE_MAX);
}

/* [0-9][0-9][0-9] */
static size_t match_digits(const uint8_t *s, size_t at, size_t end) {
    bool three = end - at >= 3 && is_digit(s[at]) && is_digit(s[at + 1]) &&
                 is_digit(s[at + 2]);
    return three ? at + 3 : 0;
}
static size_t split_digits(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_digits, s, at, end);
}

/* ---- the small expressions: punctuation -------------------------------- */

static bool is_ascii_of(uint32_t point, const char *set) {
    for (; *set; set++)
        if (point == (uint8_t)*set) return true;
    return false;
}

/* [\p{P}...]+ with these signs too */
static size_t split_signs(const uint8_t *s, size_t at, size_t end,
                          const char *signs) {
    letter c = letter_at(s, at, end);
    bool first = (c.in & PIPIT_PUNCTUATION) || is_ascii_of(c.point, signs);
    for (bool same = true; same && c.in;) {
        at = c.after;
        c = letter_at(s, at, end);
        same = first ==
               ((c.in & PIPIT_PUNCTUATION) || is_ascii_of(c.point, signs));
    }
    return at;
}
static size_t split_default_signs(const uint8_t *s, size_t at, size_t end) {
    return split_signs(s, at, end, "$+<=>^~|");
}
static size_t split_falcon_signs(const uint8_t *s, size_t at, size_t end) {
    return split_signs(s, at, end, "$+<=>^~|`");
}

/* ---- DeepSeek ---------------------------------------------------------- */

typedef struct range {
    uint32_t first, last;
} range;

static bool is_in(const range *ranges, size_t n, uint32_t point) {
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (point < ranges[middle].first)
            n = middle;
        else if (point > ranges[middle].last)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

/* The letters of deepseek-llm: those with case in Unicode 11, of scripts that
 * it cared for. */
static const range llm_letters[] = {
    {0x41, 0x5A}, {0x61, 0x7A}, {0xB5, 0xB5}, {0xC0, 0xD6}, {0xD8, 0xF6},
    {0xF8, 0x1BA}, {0x1BC, 0x1BF}, {0x1C4, 0x293}, {0x295, 0x2AF},
    {0x370, 0x373}, {0x376, 0x377}, {0x37B, 0x37D}, {0x37F, 0x37F},
    {0x386, 0x386}, {0x388, 0x38A}, {0x38C, 0x38C}, {0x38E, 0x3A1},
    {0x3A3, 0x3F5}, {0x3F7, 0x481}, {0x48A, 0x52F}, {0x531, 0x556},
    {0x10A0, 0x10C5}, {0x13A0, 0x13F5}, {0x13F8, 0x13FD}, {0x1C90, 0x1CBA},
    {0x1CBD, 0x1CBF}, {0x1D00, 0x1D2B}, {0x1D6B, 0x1D77}, {0x1D79, 0x1D9A},
    {0x1E00, 0x1F15}, {0x1F18, 0x1F1D}, {0x1F20, 0x1F45}, {0x1F48, 0x1F4D},
    {0x1F50, 0x1F57}, {0x1F59, 0x1F59}, {0x1F5B, 0x1F5B}, {0x1F5D, 0x1F5D},
    {0x1F5F, 0x1F7D}, {0x1F80, 0x1FB4}, {0x1FB6, 0x1FBC}, {0x1FBE, 0x1FBE},
    {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FCC}, {0x1FD0, 0x1FD3}, {0x1FD6, 0x1FDB},
    {0x1FE0, 0x1FEC}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FFC}, {0x2102, 0x2102},
    {0x2107, 0x2107}, {0x210A, 0x2113}, {0x2115, 0x2115}, {0x2119, 0x211D},
    {0x2124, 0x2124}, {0x2126, 0x2126}, {0x2128, 0x2128}, {0x212A, 0x212D},
    {0x212F, 0x2134}, {0x2139, 0x2139}, {0x213C, 0x213F}, {0x2145, 0x2149},
    {0x214E, 0x214E}, {0x2183, 0x2184}, {0x2C00, 0x2C7B}, {0x2C7E, 0x2CE4},
    {0x2CEB, 0x2CEE}, {0x2CF2, 0x2CF3}, {0xA640, 0xA66D}, {0xA680, 0xA69B},
    {0xA722, 0xA76F}, {0xA771, 0xA787}, {0xA78B, 0xA78E}, {0xAB70, 0xABBF},
    {0xFB00, 0xFB06}, {0xFB13, 0xFB17}, {0xFF21, 0xFF3A}, {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF},
    {0x1E900, 0x1E943}};
/* [!-/:-~！-／：-～‘-‟　-。] */
static const range llm_signs[] = {{0x21, 0x2F}, {0x3A, 0x7E},
                                  {0x2018, 0x201F}, {0x3000, 0x3002},
                                  {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
/* [一-龥ࠀ-一가-퟿] */
static const range asian[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
/* [一-龥぀-ゟ゠-ヿ] */
static const range v3_asian[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};

#define IS_IN(ranges, point) \
    is_in(ranges, sizeof ranges / sizeof *ranges, point)

static bool is_llm_letter(letter c) { return IS_IN(llm_letters, c.point); }
static bool is_llm_sign(letter c) { return IS_IN(llm_signs, c.point); }
static bool is_asian(letter c) { return IS_IN(asian, c.point); }
static bool is_v3_asian(letter c) { return IS_IN(v3_asian, c.point); }
static bool is_letter(letter c) { return (c.in & PIPIT_LETTER) != 0; }
static bool is_punctuation(letter c) {
    return (c.in & PIPIT_PUNCTUATION) != 0;
}

/* [is]+, with \s? in front if spaced; 0: none. */
static size_t match_run(bool (*is)(letter), bool spaced, const uint8_t *s,
                        size_t at, size_t end) {
    letter c = letter_at(s, at, end);
    if (spaced && c.in & PIPIT_SPACE && !is(c)) c = letter_at(s, c.after, end);
    if (!c.in || !is(c)) return 0;
    do {
        at = c.after;
        c = letter_at(s, at, end);
    } while (c.in && is(c));
    return at;
}

static size_t match_llm_letters(const uint8_t *s, size_t at, size_t end) {
    return match_run(is_llm_letter, true, s, at, end);
}
static size_t match_llm_signs(const uint8_t *s, size_t at, size_t end) {
    return match_run(is_llm_sign, true, s, at, end);
}
static size_t match_letters(const uint8_t *s, size_t at, size_t end) {
    return match_run(is_letter, true, s, at, end);
}
static size_t match_punctuation(const uint8_t *s, size_t at, size_t end) {
    return match_run(is_punctuation, true, s, at, end);
}
static size_t match_asian(const uint8_t *s, size_t at, size_t end) {
    return match_run(is_asian, false, s, at, end);
}
static size_t match_v3_asian(const uint8_t *s, size_t at, size_t end) {
    return match_run(is_v3_asian, false, s, at, end);
}

static size_t split_llm_letters(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_llm_letters, s, at, end);
}
static size_t split_llm_signs(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_llm_signs, s, at, end);
}
static size_t split_letters(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_letters, s, at, end);
}
static size_t split_punctuation(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_punctuation, s, at, end);
}
static size_t split_asian(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_asian, s, at, end);
}
static size_t split_v3_asian(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_v3_asian, s, at, end);
}

/* [\r\n] */
static size_t split_breaks(const uint8_t *s, size_t at, size_t end) {
    if (is_break(s[at])) return at + 1;
    while (at < end && !is_break(s[at])) at++;
    return at;
}

/* \s+$ */
static size_t split_last_spaces(const uint8_t *s, size_t at, size_t end) {
    size_t from = end;
    while (from > at) {
        size_t before = from - 1;
        while (before > at && (s[before] & 0xC0) == 0x80) before--;
        if (!(letter_at(s, before, end).in & PIPIT_SPACE)) break;
        from = before;
    }
    return from > at ? from : end;
}

static bool is_ascii_letter(uint8_t byte) {
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

/* [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
 *  ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_v3(const uint8_t *s, size_t at, size_t end) {
    const uint32_t letters = PIPIT_LETTER | PIPIT_MARK;
    const uint32_t signs = PIPIT_PUNCTUATION | PIPIT_SYMBOL;
    letter c = letter_at(s, at, end);
    if (c.in & signs && c.point < 0x80 && c.after < end &&
        is_ascii_letter(s[c.after])) {
        for (at = c.after; at < end && is_ascii_letter(s[at]);) at++;
        return at;
    }
    if (c.in & letters) return run(s, c.after, end, letters);
    letter next = letter_at(s, c.after, end);
    if (!(c.in & signs) && !is_break(c.point) && next.in & letters)
        return run(s, next.after, end, letters);
    size_t to = others(s, c, end, ~signs);
    if (to) return run_of_breaks(s, to, end, false);
    return c.in & PIPIT_SPACE ? spaces(s, at, end, true) : 0;
}
static size_t split_v3(const uint8_t *s, size_t at, size_t end) {
    return split_by(match_v3, s, at, end);
}

/* ---- the table --------------------------------------------------------- */

#define SPLITS(name, ...) \
    static pipit_split *const name[PIPIT_MAX_SPLITS + 1] = {__VA_ARGS__}

SPLITS(gpt2, split_gpt2);
SPLITS(llama3, split_llama3);
SPLITS(qwen2, split_qwen2);
SPLITS(qwen35, split_qwen35);
SPLITS(smollm, split_number, split_gpt2);
SPLITS(standard, split_default_signs, split_gpt2, split_all_numbers,
       split_digits);
SPLITS(falcon, split_falcon_signs, split_gpt2, split_digits);
SPLITS(tekken, split_tekken);
SPLITS(gpt4o, split_gpt4o);
SPLITS(minicpm5, split_3_numbers, split_minicpm5);
SPLITS(deepseek_llm, split_breaks, split_llm_letters, split_llm_signs,
       split_last_spaces, split_asian, split_all_numbers);
SPLITS(deepseek_coder, split_breaks, split_letters, split_punctuation,
       split_asian, split_number);
SPLITS(deepseek_v3, split_3_numbers, split_v3_asian, split_v3);

static const pipit_pre pres[] = {
    /* ignore_merges, add_bos, nfc */
    {"default", standard, false, false, false},
    {"gpt-2", gpt2, false, false, false},
    {"phi-2", gpt2, false, false, false},
    {"jina-es", gpt2, false, false, false},
    {"jina-de", gpt2, false, false, false},
    {"jina-v1-en", gpt2, false, false, false},
    {"jina-v2-es", gpt2, false, false, false},
    {"jina-v2-de", gpt2, false, false, false},
    {"jina-v2-code", gpt2, false, false, false},
    {"roberta-bpe", gpt2, false, false, false},
    {"gigachat", gpt2, false, false, false},
    {"a.x-4.0", gpt2, false, false, false},
    {"mellum", gpt2, false, false, false},
    {"modern-bert", gpt2, false, false, false},
    {"mpt", gpt2, false, false, false},
    {"olmo", gpt2, false, false, false},
    {"jais", gpt2, false, false, false},
    {"exaone4", gpt2, false, false, false},
    {"trillion", gpt2, false, false, false},
    {"granite-docling", gpt2, false, false, false},
    {"llama3", llama3, true, true, false},
    {"llama-v3", llama3, true, true, false},
    {"llama-bpe", llama3, true, true, false},
    {"falcon3", llama3, true, true, false},
    {"falcon-h1", llama3, true, true, false},
    {"pixtral", llama3, true, true, false},
    {"midm-2.0", llama3, true, true, false},
    {"lfm2", llama3, true, true, false},
    {"jina-v5-nano", llama3, true, true, false},
    {"dbrx", llama3, false, false, false},
    {"smaug-bpe", llama3, false, false, false},
    {"glm4", llama3, false, false, false},
    {"chatglm-bpe", llama3, false, false, false},
    {"qwen2", qwen2, false, false, true},
    {"deepseek-r1-qwen", qwen2, false, false, true},
    {"f2llmv2", qwen2, false, false, true},
    {"kormo", qwen2, false, false, false},
    {"megrez", qwen2, false, false, false},
    {"stablelm2", qwen2, false, false, false},
    {"hunyuan", qwen2, false, false, false},
    {"solar-open", qwen2, false, false, false},
    {"grok-2", qwen2, false, false, false},
    {"qwen35", qwen35, false, false, true},
    {"smollm", smollm, false, false, false},
    {"starcoder", smollm, false, false, false},
    {"refact", smollm, false, false, false},
    {"command-r", smollm, false, false, false},
    {"codeshell", smollm, false, false, false},
    {"exaone", smollm, false, false, false},
    {"minerva-7b", smollm, false, false, false},
    {"mellum2", smollm, false, false, false},
    {"falcon", falcon, false, false, false},
    {"tekken", tekken, true, true, false},
    {"gpt-4o", gpt4o, false, false, false},
    {"llama4", gpt4o, false, false, false},
    {"kanana2", gpt4o, false, false, false},
    {"talkie", gpt4o, false, false, false},
    {"minimax-m2", gpt4o, false, false, false},
    {"minicpm5", minicpm5, true, false, false},
    {"deepseek-llm", deepseek_llm, false, false, false},
    {"deepseek-coder", deepseek_coder, false, false, false},
    {"deepseek-v3", deepseek_v3, false, false, false},
    {"hunyuan-dense", deepseek_v3, false, false, false},
    {"joyai-llm", deepseek_v3, false, false, false}};

const pipit_pre *pipit_pre_find(pipit_string name) {
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (pipit_string_is(name, pres[i].name)) return &pres[i];
    return NULL;
}

/* ---- words ------------------------------------------------------------- */

void pipit_words_init(pipit_words *words, const pipit_pre *pre,
                      const uint8_t *text, size_t n) {
    *words = (pipit_words){.text = text, .splits = pre->splits, .ends = {n}};
    while (pre->splits[words->n_splits]) words->n_splits++;
}

bool pipit_words_next(pipit_words *words, size_t *start, size_t *end) {
    pipit_words *w = words;
    if (w->at >= w->ends[0]) return false;
    /* A piece that is used up is followed by the next one of its level, within
     * the piece of the level above. */
    for (uint32_t i = 0; i < w->n_splits; i++)
        if (w->ends[i + 1] <= w->at)
            w->ends[i + 1] = w->splits[i](w->text, w->at, w->ends[i]);
    *start = w->at;
    *end = w->at = w->ends[w->n_splits];
    return true;
}
