/* exports.ts — web/exports.c as TypeScript sees it: numbers and branded
 * addresses. The same names in the same order as web/exports.txt. */

declare const target: unique symbol;
/** An address in linear memory. 0 is none. */
export type Pointer<T extends string> = number & { readonly [target]: T };

export type Bytes = Pointer<"bytes">;
/** 8-byte slots: integers, or doubles where the export says so. */
export type Slots = Pointer<"slots">;
/** NUL-terminated text that lives as long as the instance. */
export type Name = Pointer<"name">;
export type TokenArray = Pointer<"tokens">;
export type FloatArray = Pointer<"floats">;
/** 8-byte pairs of a token and a float. */
export type Pairs = Pointer<"pairs">;
export type ErrorObject = Pointer<"error">;
export type Engine = Pointer<"engine">;
export type File = Pointer<"file">;
export type Tokenizer = Pointer<"tokenizer">;
export type Model = Pointer<"model">;
export type Adapter = Pointer<"adapter">;
export type Session = Pointer<"session">;
export type Generation = Pointer<"generation">;
export type Trainer = Pointer<"trainer">;
export type Doubles = Pointer<"doubles">;

/** A pipit_status. */
export type Status = number;

export interface Exports {
    pipit_alloc(bytes: number): Bytes;
    pipit_release(block: number, bytes: number): void;
    pipit_heap_used(): number;
    pipit_error_bytes(): number;
    pipit_error_offset(error: ErrorObject): number;
    pipit_error_message(error: ErrorObject): Name;
    pipit_status_name(status: Status): Name;
    pipit_version(): Name;

    pipit_kernels_list(i: number): Name;
    pipit_engine_open(threads: number, kernels: number, out: Slots): Status;
    pipit_engine_close(engine: Engine): void;
    pipit_engine_kernels(engine: Engine): Name;
    pipit_engine_worker(engine: Engine, thread: number): void;

    pipit_file_open(totalBytes: number, out: Slots): Status;
    pipit_file_close(file: File): void;
    pipit_file_feed(
        file: File,
        bytes: Bytes,
        n: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_file_end(file: File, error: ErrorObject): Status;
    pipit_file_version(file: File): number;
    pipit_file_n_parts(file: File): number;
    pipit_file_next_part(
        file: File,
        totalBytes: number,
        error: ErrorObject,
    ): Status;
    pipit_file_header_bytes(file: File): number;
    pipit_file_n_values(file: File): number;
    pipit_file_n_tensors(file: File): number;
    pipit_file_value(file: File, i: number, out: Slots): Status;
    pipit_file_integer(file: File, i: number, j: number, out: Slots): Status;
    pipit_file_real(file: File, i: number, j: number, out: Slots): Status;
    pipit_file_text(file: File, i: number, j: number, out: Slots): Status;
    pipit_file_flag(file: File, i: number, j: number, out: Slots): Status;
    pipit_file_tensor(file: File, i: number, out: Slots): Status;
    pipit_tensor_type_name(type: number): Name;
    pipit_file_forecast(
        file: File,
        contextLength: number,
        kvType: number,
        threads: number,
        out: Slots,
        error: ErrorObject,
    ): Status;

    pipit_tokenizer_open(file: File, out: Slots, error: ErrorObject): Status;
    pipit_tokenizer_close(tokenizer: Tokenizer): void;
    pipit_tokenize(
        tokenizer: Tokenizer,
        text: Bytes,
        n: number,
        flags: number,
        tokens: TokenArray,
        capacity: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_detokenize(
        tokenizer: Tokenizer,
        tokens: TokenArray,
        n: number,
        flags: number,
        bytes: Bytes,
        capacity: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_tokenizer_n_tokens(tokenizer: Tokenizer): number;
    pipit_tokenizer_text(
        tokenizer: Tokenizer,
        token: number,
        out: Slots,
    ): Status;
    pipit_tokenizer_special(tokenizer: Tokenizer, role: number): number;

    pipit_model_open(
        file: File,
        engine: Engine,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_model_close(model: Model): void;
    pipit_model_feed(
        model: Model,
        bytes: Bytes,
        n: number,
        error: ErrorObject,
    ): Status;
    pipit_model_end(model: Model, error: ErrorObject): Status;
    pipit_model_n_vocab(model: Model): number;
    pipit_model_context_length(model: Model): number;
    pipit_model_n_parameters(model: Model): number;
    pipit_model_bytes(model: Model): number;

    pipit_adapter_open(
        file: File,
        model: Model,
        flags: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_adapter_close(adapter: Adapter): void;
    pipit_adapter_feed(
        adapter: Adapter,
        bytes: Bytes,
        n: number,
        error: ErrorObject,
    ): Status;
    pipit_adapter_end(adapter: Adapter, error: ErrorObject): Status;
    pipit_adapter_bytes(adapter: Adapter): number;
    pipit_adapter_write(
        adapter: Adapter,
        notes: Bytes,
        lengths: TokenArray,
        nNotes: number,
        bytes: Bytes,
        capacity: number,
        out: Slots,
        error: ErrorObject,
    ): Status;

    pipit_session_open(
        model: Model,
        contextLength: number,
        kvType: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_session_close(session: Session): void;
    pipit_session_begin(
        session: Session,
        tokens: TokenArray,
        n: number,
        flags: number,
        error: ErrorObject,
    ): Status;
    pipit_session_step(session: Session): Status;
    pipit_session_sync(
        session: Session,
        tokens: TokenArray,
        n: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_session_rewind(session: Session, n: number): Status;
    pipit_session_set_adapters(
        session: Session,
        adapters: TokenArray,
        scales: Bytes,
        n: number,
        error: ErrorObject,
    ): Status;
    pipit_session_length(session: Session): number;
    pipit_session_capacity(session: Session): number;
    pipit_session_progress(session: Session, out: Slots): void;
    pipit_session_tokens(session: Session): TokenArray;
    pipit_session_logits(session: Session, i: number): FloatArray;
    pipit_session_n_logits(session: Session): number;
    pipit_session_bytes(session: Session): number;

    pipit_logprob_of(logits: FloatArray, vocab: number, token: number): number;
    pipit_logprob_best(
        logits: FloatArray,
        vocab: number,
        n: number,
        out: Pairs,
    ): void;
    pipit_generation_open(
        session: Session,
        tokenizer: Tokenizer,
        temperature: number,
        topK: number,
        topP: number,
        minP: number,
        repetitionPenalty: number,
        presencePenalty: number,
        frequencyPenalty: number,
        penaltyWindow: number,
        seed: bigint,
        bias: Pairs,
        nBias: number,
        maxTokens: number,
        stop: Bytes,
        stopLengths: TokenArray,
        nStop: number,
        nLogprobs: number,
        ignoreEnd: number,
        noLookup: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_generation_close(generation: Generation): void;
    pipit_generations_step(all: Slots, n: number): void;

    pipit_training_measure(
        model: Model,
        options: Doubles,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_trainer_open(
        model: Model,
        options: Doubles,
        out: Slots,
        error: ErrorObject,
    ): Status;
    pipit_trainer_close(trainer: Trainer): void;
    pipit_trainer_begin(
        trainer: Trainer,
        tokens: TokenArray,
        isAnswer: Bytes,
        lengths: TokenArray,
        n: number,
        kind: number,
        rate: number,
        error: ErrorObject,
    ): Status;
    pipit_trainer_step(trainer: Trainer): Status;
    pipit_trainer_result(trainer: Trainer, out: Slots): void;
    pipit_trainer_state(trainer: Trainer, out: Slots): void;
    pipit_trainer_set_n_updates(trainer: Trainer, n: number): void;
    pipit_trainer_write(
        trainer: Trainer,
        notes: Bytes,
        lengths: TokenArray,
        n: number,
        bytes: Bytes,
        capacity: number,
        out: Slots,
        error: ErrorObject,
    ): Status;
}

/** What the linker adds to a threaded module. */
export interface ThreadExports extends Exports {
    readonly __stack_pointer: WebAssembly.Global<"i32">;
    readonly __tls_size: WebAssembly.Global<"i32">;
    readonly __tls_align: WebAssembly.Global<"i32">;
    __wasm_init_tls(block: number): void;
}
