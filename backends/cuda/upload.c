#include "backends/cuda/upload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/element.h"
#include "kernels/half.h"

enum {
    PIECES = 2,
    PIECE_BYTES = 32 << 20,
    PART_ELEMENTS = 1024,    /* converted at once */
    GRAIN_BYTES = 128 << 10, /* of what is sent, worth a thread */
};

struct piece {
    void *memory; /* [PIECE_BYTES] pinned */
    cudaEvent_t copied;
};

struct dyno_cuda_upload {
    struct dyno_team *team;
    cudaStream_t stream;
    struct piece pieces[PIECES];
    uint32_t next; /* of the pieces */
    bool copying;  /* something may be under way */
};

dyno_status dyno_cuda_upload_finish(struct dyno_cuda_upload *upload, struct dyno_error *error)
{
    DYNO_CUDA_TRY(cudaStreamSynchronize(upload->stream), error);
    upload->copying = false;
    return DYNO_OK;
}

void dyno_cuda_upload_close(struct dyno_cuda_upload *upload)
{
    if (!upload) {
        return;
    }
    if (upload->copying) {
        (void)cudaStreamSynchronize(upload->stream);
    }
    if (upload->stream) {
        (void)cudaStreamDestroy(upload->stream);
    }
    for (uint32_t i = 0; i < PIECES; i++) {
        if (upload->pieces[i].copied) {
            (void)cudaEventDestroy(upload->pieces[i].copied);
        }
        (void)cudaFreeHost(upload->pieces[i].memory);
    }
    free(upload);
}

static dyno_status open_pieces(struct dyno_cuda_upload *upload, struct dyno_error *error)
{
    DYNO_CUDA_TRY(cudaStreamCreateWithFlags(&upload->stream, cudaStreamNonBlocking), error);
    for (uint32_t i = 0; i < PIECES; i++) {
        struct piece *piece = &upload->pieces[i];

        DYNO_CUDA_TRY(cudaHostAlloc(&piece->memory, PIECE_BYTES, cudaHostAllocDefault), error);
        DYNO_CUDA_TRY(cudaEventCreateWithFlags(&piece->copied, cudaEventDisableTiming), error);
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_upload_open(struct dyno_cuda_upload **out, struct dyno_team *team,
                                  struct dyno_error *error)
{
    struct dyno_cuda_upload *upload = calloc(1, sizeof *upload);
    dyno_status status;

    if (!upload) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to load weights");
    }
    upload->team = team;
    status = open_pieces(upload, error);
    if (status != DYNO_OK) {
        dyno_cuda_upload_close(upload);
        return status;
    }
    *out = upload;
    return DYNO_OK;
}

/* The next piece in turn; it may still be being copied. */
static struct piece *next_piece(struct dyno_cuda_upload *upload)
{
    return &upload->pieces[upload->next++ % PIECES];
}

static dyno_status send(struct dyno_cuda_upload *upload, const struct piece *piece, void *to,
                        uint64_t bytes, struct dyno_error *error)
{
    upload->copying = true;
    DYNO_CUDA_TRY(cudaMemcpyAsync(to, piece->memory, bytes, cudaMemcpyHostToDevice, upload->stream),
                  error);
    DYNO_CUDA_TRY(cudaEventRecord(piece->copied, upload->stream), error);
    return DYNO_OK;
}

/* ---- rows, filled by threads ----------------------------------------------------------------- */

/* Rows on their way into a piece. */
struct filling {
    void (*fill)(const void *context, uint32_t row, void *to);
    const void *context;
    uint32_t row; /* of the piece's first */
    size_t row_bytes;
    char *to; /* [rows][row_bytes] */
};

static void fill_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct filling *filling = argument;

    (void)worker;
    for (uint32_t i = first; i < last; i++) {
        filling->fill(filling->context, filling->row + i, filling->to + i * filling->row_bytes);
    }
}

static void fill_piece(struct dyno_cuda_upload *upload, struct filling *filling, uint32_t rows)
{
    uint32_t grain = (uint32_t)(GRAIN_BYTES / filling->row_bytes);

    if (upload->team) {
        dyno_team_run(upload->team, rows, grain > 0 ? grain : 1, fill_rows, filling);
    } else {
        fill_rows(filling, 0, rows, 0);
    }
}

dyno_status dyno_cuda_upload_rows(struct dyno_cuda_upload *upload, void *to, uint32_t rows,
                                  size_t row_bytes,
                                  void (*fill)(const void *context, uint32_t row, void *to),
                                  const void *context, struct dyno_error *error)
{
    uint32_t rows_max = row_bytes > 0 ? (uint32_t)(PIECE_BYTES / row_bytes) : 0;

    if (rows_max == 0) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "a row of a matrix has %zu bytes: from 1 to %u can be loaded", row_bytes,
                         (unsigned)PIECE_BYTES);
    }
    for (uint32_t row = 0; row < rows; row += rows_max) {
        uint32_t count = rows - row < rows_max ? rows - row : rows_max;
        struct filling filling = {fill, context, row, row_bytes, NULL};
        const struct piece *piece = next_piece(upload);

        DYNO_CUDA_TRY(cudaEventSynchronize(piece->copied), error);
        filling.to = piece->memory;
        fill_piece(upload, &filling, count);
        DYNO_TRY(send(upload, piece, (char *)to + row * row_bytes, count * row_bytes, error));
    }
    return DYNO_OK;
}

/* ---- matrices -------------------------------------------------------------------------------- */

/* Some columns of a matrix, as elements. */
struct conversion {
    const struct dyno_matrix *from;
    uint32_t first, columns;
    enum dyno_element element;
};

static void convert_row(const struct conversion *conversion, uint32_t row, uint16_t *to)
{
    float values[PART_ELEMENTS];

    for (uint32_t first = 0; first < conversion->columns; first += PART_ELEMENTS) {
        uint32_t left = conversion->columns - first;
        uint32_t count = left < PART_ELEMENTS ? left : PART_ELEMENTS;

        dyno_matrix_read(conversion->from, row, conversion->first + first, count, values);
        for (uint32_t i = 0; i < count; i++) {
            to[first + i] = conversion->element == DYNO_ELEMENT_F16 ? dyno_half_of_float(values[i])
                                                                    : dyno_bf16_of_float(values[i]);
        }
    }
}

static void fill_elements(const void *context, uint32_t row, void *to)
{
    const struct conversion *conversion = context;
    const struct dyno_matrix *from = conversion->from;

    if (from->element == conversion->element) {
        memcpy(to, (const uint16_t *)from->data + (size_t)row * from->columns + conversion->first,
               dyno_row_bytes(conversion->element, conversion->columns));
    } else {
        convert_row(conversion, row, to);
    }
}

dyno_status dyno_cuda_upload_matrix(struct dyno_cuda_upload *upload, void *to,
                                    const struct dyno_matrix *from, enum dyno_element element,
                                    struct dyno_error *error)
{
    return dyno_cuda_upload_columns(upload, to, from, 0, from->columns, element, error);
}

dyno_status dyno_cuda_upload_columns(struct dyno_cuda_upload *upload, void *to,
                                     const struct dyno_matrix *from, uint32_t first, uint32_t count,
                                     enum dyno_element element, struct dyno_error *error)
{
    struct conversion conversion = {from, first, count, element};

    return dyno_cuda_upload_rows(upload, to, from->rows, dyno_row_bytes(element, count),
                                 fill_elements, &conversion, error);
}

dyno_status dyno_cuda_upload_bytes(struct dyno_cuda_upload *upload, void *to, const void *from,
                                   uint64_t bytes, struct dyno_error *error)
{
    for (uint64_t at = 0; at < bytes; at += PIECE_BYTES) {
        uint64_t count = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        const struct piece *piece = next_piece(upload);

        DYNO_CUDA_TRY(cudaEventSynchronize(piece->copied), error);
        memcpy(piece->memory, (const char *)from + at, count);
        DYNO_TRY(send(upload, piece, (char *)to + at, count, error));
    }
    return DYNO_OK;
}
