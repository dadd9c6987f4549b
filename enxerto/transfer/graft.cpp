#include "enxerto/transfer/graft.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/graph/split.h"

namespace enxerto {

Cut usual_cut(const Graph& graph) {
  if (const auto list = features_cut(graph)) return {.layer = graph.node(*list).name};
  const int head = graph.id_of(head_of(graph).name).index;
  const Node* last = nullptr;
  for (const NodeId id : cut_points(graph))
    if (id.index < head && !std::holds_alternative<Dropout>(graph.node(id).layer)) last = &graph.node(id);
  if (!last) throw Error(ErrorKind::usage, "the network is a head and nothing else: it has no features");
  return {.layer = last->name, .pool = is_map(last->out)};
}

Graph features_of(const Graph& graph, const Cut& cut) {
  Graph made = graph.clone();
  made.cut_after(cut.layer);
  if (cut.pool && is_map(made.output_shape())) made.add("features.pool", GlobalAvgPool{}, {made.last()});
  return made;
}

Graph grafted(const Graph& graph, const Cut& cut, int classes) {
  const Node& head = head_of(graph);
  if (graph.id_of(cut.layer).index >= graph.id_of(head.name).index)
    throw Error(ErrorKind::usage, text("layer \"", cut.layer,
                                       "\": the new head cannot grow there, it stands at or "
                                       "behind the old one, \"",
                                       head.name, "\""));
  Graph made = features_of(graph, cut);
  if (is_map(made.output_shape())) made.add("features.list", Flatten{}, {made.last()});
  made.add(head.name, Linear{.out = classes}, {made.last()});
  return made;
}

}  // namespace enxerto
