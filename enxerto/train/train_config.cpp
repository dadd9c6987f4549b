// TrainConfig to JSON and back, and the names that go with it.
#include "enxerto/train/fields_json.h"
#include "enxerto/train/trainer.h"

namespace enxerto {

Metric parse_metric(std::string_view name) { return parse_name<Metric>("metric", name); }
std::string_view name_of(Metric metric) { return format_name(metric); }

Json TrainConfig::to_json() const {
  Json json{{"epochs", epochs},
            {"batch", batch},
            {"seed", seed},
            {"preprocess", preprocess.to_json()},
            {"augment", augment.to_json()},
            {"loss", variant_to_json(loss)},
            {"optimizer", variant_to_json(optimizer)},
            {"schedule", fields_to_json(schedule)},
            {"penalty", fields_to_json(penalty)},
            {"clip_norm", clip_norm},
            {"metric", format_name(metric)},
            {"min_delta", min_delta},
            {"patience", patience},
            {"workers", workers}};
  if (bf16) json["bf16"] = true;
  if (recompute) json["recompute"] = true;
  if (layer_rates.empty()) return json;
  json["layer_rates"] = Json::array();
  for (const LayerRate& rate : layer_rates)
    json["layer_rates"].push_back({{"prefix", rate.prefix}, {"scale", rate.scale}});
  return json;
}

TrainConfig TrainConfig::from_json(const Json& json) {
  TrainConfig config;
  ObjectReader reader(json, "training");
  reader.read("epochs", config.epochs);
  reader.read("batch", config.batch);
  reader.read("seed", config.seed);
  config.preprocess = Preprocess::from_json(reader.at("preprocess"));
  config.augment = Augment::from_json(reader.at("augment"));
  config.loss = variant_from_json<LossConfig>(reader.at("loss"), "training: loss");
  config.optimizer = variant_from_json<OptimizerConfig>(reader.at("optimizer"), "training: optimizer");
  config.schedule = fields_from_json<Schedule>(reader.at("schedule"), "training: schedule");
  config.penalty = fields_from_json<Penalty>(reader.at("penalty"), "training: penalty");
  reader.read("clip_norm", config.clip_norm);
  reader.read("metric", config.metric);
  reader.read("min_delta", config.min_delta);
  reader.read("patience", config.patience);
  reader.read("workers", config.workers);
  if (reader.has("bf16")) reader.read("bf16", config.bf16);
  if (reader.has("recompute")) reader.read("recompute", config.recompute);
  if (reader.has("layer_rates")) {
    const Json& rates = reader.at("layer_rates");
    if (!rates.is_array()) fail_json("training: layer_rates", "a list was expected");
    for (const Json& each : rates) {
      LayerRate& rate = config.layer_rates.emplace_back();
      ObjectReader fields(each, "training: layer_rates");
      fields.read("prefix", rate.prefix);
      fields.read("scale", rate.scale);
      fields.finish();
    }
  }
  reader.finish();
  return config;
}

}  // namespace enxerto
