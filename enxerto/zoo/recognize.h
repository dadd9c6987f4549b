/// Which net of the zoo a file of bare weights belongs to, told by names and shapes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "enxerto/weights/conventions.h"
#include "enxerto/zoo/aliases.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {

/// How weights fit one net under one program's names for it.
struct Match {
  const NetInfo* net = nullptr;
  std::string program;                       ///< whose names they are; empty: the net's own
  Normalization normalization;               ///< the net's, or that of this program's weights
  std::string_view doubt = "";               ///< what names and sizes cannot tell, for people
  std::optional<float> batch_norm_eps = {};  ///< of this program's batch norms, where it is not the net's
  int classes = 0;                           ///< outputs that the weights have
  std::string cut;  ///< the node after which the net is cut since the weights hold no more; empty: whole
  int fitting = 0;  ///< tensors that fit
  int missing = 0,
      left_over = 0;  ///< parameters without a tensor that fits them; tensors that are no parameter's
  std::vector<std::string> unused;    ///< what the file has beside them and the net can do without
  std::vector<std::string> problems;  ///< what is missing, misshapen or left over; empty: they fit

  bool fits() const { return problems.empty(); }
};

/// Every way in which the weights may be meant for this net, the best first. `image`: size of the input,
/// where it is not the net's own.
std::vector<Match> match_net(const NetInfo& net, const ConventionalWeights& weights,
                             const std::optional<Shape>& image = std::nullopt);

/// The best match of each net that has anything in common with the weights, best first.
std::vector<Match> match_zoo(const ConventionalWeights& weights);

/// Those of match_zoo() that fit and that nothing tells apart: of all that fit, the whole ones, else the
/// trunks; of these the ones that use all of the file; and of nets that differ in layers without weights, the
/// one whose weights are published. One: the weights are its. None: those of no net that we know.
std::vector<Match> best_of(const std::vector<Match>& matches);

/// The weights under the names and in the shapes of the net's parameters. Copies them. What does not fit is
/// left out where `strict` is false; else Error{corrupt} that opens with `where` lists it all.
NamedTensors adopt(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where);

/// The net, cut where the match says so, with these weights and what else the program has different; what has
/// no weights is at rest (Graph::add). Error{corrupt} where none fits, strict or not.
Graph make_matched(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where);

/// Keras flattens {h, w, c}, we flatten {c, h, w}: the columns of a linear layer behind features of the shape
/// `in` are put in our order.
void reorder_columns(std::span<float> weight, std::int64_t rows, const Shape& in);

}  // namespace enxerto
