/// Which net of the zoo a file of bare weights belongs to, told by names and shapes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enxerto/weights/conventions.h"
#include "enxerto/zoo/aliases.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {

/// How weights fit one net under one program's names for it.
struct Match {
  const NetInfo* net = nullptr;
  std::string program;          ///< whose names they are; empty: the net's own
  Normalization normalization;  ///< the net's, or that of this program's weights
  int classes = 0;              ///< outputs that the weights have
  std::string cut;  ///< the node after which the net is cut since the weights hold no more; empty: whole
  int fitting = 0;  ///< tensors that fit
  std::vector<std::string> problems;  ///< what is missing, misshapen or left over; empty: they fit

  bool fits() const { return problems.empty(); }
};

/// Every way in which the weights may be meant for this net, the best first. `image`: size of the input,
/// where it is not the net's own.
std::vector<Match> match_net(const NetInfo& net, const ConventionalWeights& weights,
                             const std::optional<Shape>& image = std::nullopt);

/// The best match of each net that has anything in common with the weights, best first.
std::vector<Match> match_zoo(const ConventionalWeights& weights);

/// The weights under the names and in the shapes of the net's parameters. What does not fit is left out where
/// `strict` is false; else Error{corrupt} that opens with `where` lists it all.
NamedTensors adopt(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where);

/// The net, cut where the match says so, with these weights; what has none starts from zero.
Graph make_matched(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where);

}  // namespace enxerto
