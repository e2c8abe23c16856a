// A C face over the sentencepiece library: load a model from memory, turn text into ids. No C++ exception leaves it.
// Every function that can fail returns 0 for success; otherwise it stores a text in *error (never null), to be given
// back with vsp_free_text.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A loaded model. It is not changed by encoding: several threads may share it.
typedef struct vsp_model vsp_model;

/// Loads a serialised model (the content of a .model file); the bytes are copied.
int vsp_load(const void *bytes, size_t byte_count, vsp_model **model, char **error);

/// Turns UTF-8 text into ids: *ids holds *count of them (null for none), to be given back with vsp_free_ids.
int vsp_encode(
    const vsp_model *model, const char *text, size_t byte_count, int32_t **ids, size_t *count, char **error);

/// The number of pieces.
int32_t vsp_piece_count(const vsp_model *model);
/// The id of the padding token; negative if the model has none.
int32_t vsp_pad_id(const vsp_model *model);
/// The id of the end of a text; negative if the model has none.
int32_t vsp_end_id(const vsp_model *model);
/// The id of unknown pieces.
int32_t vsp_unknown_id(const vsp_model *model);

void vsp_free_model(vsp_model *model);
void vsp_free_ids(int32_t *ids);
void vsp_free_text(char *text);

#ifdef __cplusplus
}
#endif
