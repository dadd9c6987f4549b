# Draws a data set for the labs: outlines in the middle or at the edge, large or small, turned and squeezed, dark on
# light or light on dark. Each picture is another one, and the same seed draws the same.
#
# usage: gnuplot -c examples/figures.gnuplot FOLDER SEED PIXELS 'SPLIT COUNT...' 'CLASS...'
#   writes FOLDER/SPLIT/CLASS/0001.png and so on, COUNT of each class. A class is cornersN, a regular polygon of N
#   corners, or petalsN, a flower of N petals; N has one digit.
folder = ARG1; seed = int(ARG2); pixels = int(ARG3); splits = ARG4; classes = ARG5
set terminal pngcairo size pixels, pixels
set margins 0, 0, 0, 0
unset border; unset tics; unset key
set xrange [-1:1]; set yrange [-1:1]
set parametric; set trange [0:2 * pi]; set samples 361

# Distance from the middle at the angle t.
corners(t, n) = cos(pi / n) / cos(t - 2 * pi / n * floor(t * n / (2 * pi)) - pi / n)
petals(t, n) = 0.7 + 0.3 * cos(n * t)
between(low, high) = low + (high - low) * rand(0)
grey(level) = int(level) * 65793

skip = rand(seed)
do for [s = 1:words(splits):2] {
  do for [class in classes] {
    system(sprintf("mkdir -p '%s/%s/%s'", folder, word(splits, s), class))
    n = int(class[strlen(class):])
    radius(t) = class[1:1] eq "c" ? corners(t, n) : petals(t, n)
    do for [i = 1:int(word(splits, s + 1))] {
      size = between(0.35, 0.65); squeeze = between(0.7, 1)
      turn = between(0, 2 * pi); lean = between(0, 2 * pi)
      left = (1 - size) * between(-1, 1); up = (1 - size) * between(-1, 1)
      dark = between(0, 80); light = between(150, 255); swap = rand(0) < 0.5
      x(t) = size * radius(t) * cos(t + turn)
      y(t) = size * radius(t) * sin(t + turn) * squeeze
      set object 1 rectangle from screen 0, 0 to screen 1, 1 behind fillcolor rgb grey(swap ? dark : light) fillstyle solid
      set output sprintf("%s/%s/%s/%04d.png", folder, word(splits, s), class, i)
      plot left + cos(lean) * x(t) - sin(lean) * y(t), up + sin(lean) * x(t) + cos(lean) * y(t) \
        with lines linewidth 2 linecolor rgb grey(swap ? light : dark)
      unset output
    }
  }
}
