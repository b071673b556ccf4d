/** How the notes are audited: `ferrule audit connector.ts --probe` in this folder. */
import { Audit } from "@ferrule/cli"
import { IdempotencyStore } from "@ferrule/core"
import { Layer } from "effect"
import { Notes, NotesHandlers } from "./main.ts"

export default Audit.make(Notes, {
  layers: Layer.merge(NotesHandlers, IdempotencyStore.layerMemory),
  arguments: {
    read_notes: { topic: "deploys" },
    add_note: { topic: "deploys", text: "Fridays are frozen." }
  },
  suppressions: [
    {
      check: "H05",
      reason: "It serves the one person who started it, from memory: whoever floods it keeps nobody else waiting."
    }
  ]
})
