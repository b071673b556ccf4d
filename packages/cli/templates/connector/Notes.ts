/** The system that the connector speaks for: here a file of notes. Put a client of your own system in its place. */
import { TransientError } from "@ferrule/core"
import { Context, Effect, FileSystem, Layer, Schema } from "effect"

const Note = Schema.Struct({ topic: Schema.String, text: Schema.String })
export type Note = typeof Note.Type

const Line = Schema.fromJsonString(Note)

export class Notes extends Context.Service<
  Notes,
  {
    /** The texts of a topic, oldest first. */
    readonly on: (topic: string) => Effect.Effect<ReadonlyArray<string>, TransientError>
    readonly add: (note: Note) => Effect.Effect<void, TransientError>
  }
>()("my-connector/Notes") {
  /** Keeps the notes in a file, a line of JSON each. */
  static layerFile(file: string): Layer.Layer<Notes, never, FileSystem.FileSystem> {
    return Layer.effect(
      Notes,
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        return {
          on: Effect.fn("Notes.on")(
            function* (topic) {
              if (!(yield* files.exists(file))) return []
              const lines = (yield* files.readFileString(file)).split("\n").filter((line) => line !== "")
              const notes = yield* Effect.forEach(lines, (line) => Schema.decodeEffect(Line)(line))
              return notes.filter((note) => note.topic === topic).map((note) => note.text)
            },
            Effect.mapError(() => new TransientError({ message: "The notes can't be read", applied: "no" }))
          ),
          add: Effect.fn("Notes.add")(
            function* (note) {
              const line = yield* Effect.orDie(Schema.encodeEffect(Line)(note))
              yield* files.writeFileString(file, `${line}\n`, { flag: "a" })
            },
            Effect.mapError(() => new TransientError({ message: "The note can't be written" }))
          )
        }
      })
    )
  }

  /** Keeps the notes for as long as the process runs, for tests. */
  static layerMemory = Layer.sync(Notes, () => {
    const kept: Array<Note> = []
    return {
      on: (topic) => Effect.sync(() => kept.filter((note) => note.topic === topic).map((note) => note.text)),
      add: (note) => Effect.sync(() => void kept.push(note))
    }
  })
}
