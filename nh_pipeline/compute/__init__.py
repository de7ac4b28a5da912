"""Where a step runs (:mod:`.engine`), what a step is (:mod:`.step`), and the gate that it must pass (:mod:`.gate`)."""
