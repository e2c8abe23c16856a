#include "CSentencePiece.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <sentencepiece_processor.h>

struct vsp_model {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

char *copy_text(const char *text) noexcept {
    const size_t size = std::strlen(text) + 1;
    char *copy = static_cast<char *>(std::malloc(size));
    if (copy == nullptr) std::abort();  // a few bytes could not be allocated: nothing can be reported any more
    std::memcpy(copy, text, size);
    return copy;
}

// Runs `body`, which returns a status, and turns both a bad status and an exception into a text.
template <typename Body>
int guarded(char **error, Body body) noexcept {
    *error = nullptr;
    try {
        const sentencepiece::util::Status status = body();
        if (status.ok()) return 0;
        *error = copy_text(status.ToString().c_str());
    } catch (const std::exception &exception) {
        *error = copy_text(exception.what());
    } catch (...) {
        *error = copy_text("unknown C++ exception");
    }
    return 1;
}

}  // namespace

int vsp_load(const void *bytes, size_t byte_count, vsp_model **model, char **error) {
    *model = nullptr;
    return guarded(error, [&] {
        auto loaded = std::make_unique<vsp_model>();
        auto status = loaded->processor.LoadFromSerializedProto(
            absl::string_view(static_cast<const char *>(bytes), byte_count));
        if (status.ok()) *model = loaded.release();
        return status;
    });
}

int vsp_encode(
    const vsp_model *model, const char *text, size_t byte_count, int32_t **ids, size_t *count, char **error) {
    *ids = nullptr;
    *count = 0;
    return guarded(error, [&] {
        std::vector<int> encoded;
        auto status = model->processor.Encode(absl::string_view(text, byte_count), &encoded);
        if (status.ok() && !encoded.empty()) {
            auto *copy = static_cast<int32_t *>(std::malloc(encoded.size() * sizeof(int32_t)));
            if (copy == nullptr) throw std::bad_alloc();
            for (size_t index = 0; index < encoded.size(); index++) copy[index] = encoded[index];
            *ids = copy;
            *count = encoded.size();
        }
        return status;
    });
}

int32_t vsp_piece_count(const vsp_model *model) { return model->processor.GetPieceSize(); }
int32_t vsp_pad_id(const vsp_model *model) { return model->processor.pad_id(); }
int32_t vsp_end_id(const vsp_model *model) { return model->processor.eos_id(); }
int32_t vsp_unknown_id(const vsp_model *model) { return model->processor.unk_id(); }

void vsp_free_model(vsp_model *model) { delete model; }
void vsp_free_ids(int32_t *ids) { std::free(ids); }
void vsp_free_text(char *text) { std::free(text); }
