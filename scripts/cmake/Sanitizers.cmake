if(LOOPGAUGE_SANITIZE)
  add_compile_options(-fsanitize=${LOOPGAUGE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LOOPGAUGE_SANITIZE})
endif()
