#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include "enxerto/data/preprocess.h"
#include "enxerto/graph/graph.h"
namespace enxerto {
struct OnnxExtras { std::optional<Preprocess> preprocess; std::vector<std::string> classes; std::map<std::string,std::string> metadata; bool preprocess_inside = true; };
void save_onnx(const std::filesystem::path&, const Graph&, const OnnxExtras&);
}
