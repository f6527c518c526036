#include "backends/cuda/upload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/element.h"
#include "kernels/half.h"

enum {
    PIECES = 2,
    PIECE_BYTES = 32 << 20,
    PART_ELEMENTS = 1024,      /* converted at once */
    GRAIN_ELEMENTS = 64 << 10, /* of a matrix, worth a thread */
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

/* Rows of a matrix, or some columns of them, on their way into a piece. */
struct conversion {
    const struct dyno_matrix *from;
    uint32_t first, columns;
    enum dyno_element element;
    uint32_t row; /* of the piece's first */
    uint16_t *to; /* [rows][columns] */
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

static void convert_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct conversion *conversion = argument;
    const struct dyno_matrix *from = conversion->from;
    size_t row_bytes = dyno_row_bytes(conversion->element, conversion->columns);

    (void)worker;
    if (from->element == conversion->element && from->columns == conversion->columns) {
        memcpy((char *)conversion->to + first * row_bytes,
               (const char *)from->data + (conversion->row + first) * row_bytes,
               (last - first) * row_bytes);
        return;
    }
    for (uint32_t i = first; i < last; i++) {
        uint32_t row = conversion->row + i;
        uint16_t *to = conversion->to + (size_t)i * conversion->columns;

        if (from->element == conversion->element) {
            memcpy(to,
                   (const uint16_t *)from->data + (size_t)row * from->columns + conversion->first,
                   row_bytes);
        } else {
            convert_row(conversion, row, to);
        }
    }
}

static void convert(struct dyno_cuda_upload *upload, struct conversion *conversion, uint32_t rows)
{
    uint32_t columns = conversion->columns, grain = GRAIN_ELEMENTS / (columns ? columns : 1);

    if (upload->team) {
        dyno_team_run(upload->team, rows, grain > 0 ? grain : 1, convert_rows, conversion);
    } else {
        convert_rows(conversion, 0, rows, 0);
    }
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
    size_t row_bytes = dyno_row_bytes(element, count);
    uint32_t rows_max = row_bytes > 0 ? (uint32_t)(PIECE_BYTES / row_bytes) : 0;

    if (rows_max == 0) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "a matrix has %u columns: at most %zu can be "
                         "loaded",
                         count, (size_t)PIECE_BYTES / sizeof(uint16_t));
    }
    for (uint32_t row = 0; row < from->rows; row += rows_max) {
        uint32_t rows = from->rows - row < rows_max ? from->rows - row : rows_max;
        struct conversion conversion = {
            .from = from, .first = first, .columns = count, .element = element, .row = row};
        const struct piece *piece = next_piece(upload);

        DYNO_CUDA_TRY(cudaEventSynchronize(piece->copied), error);
        conversion.to = piece->memory;
        convert(upload, &conversion, rows);
        DYNO_TRY(send(upload, piece, (char *)to + row * row_bytes, rows * row_bytes, error));
    }
    return DYNO_OK;
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
