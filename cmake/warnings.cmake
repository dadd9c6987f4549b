# Warnings hang on our own targets, privately.
function(enxerto_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
    $<$<BOOL:${ENXERTO_WERROR}>:-Werror>)
endfunction()
