/**
 * A check of a plugin's folder: what it finds is of a file, and there is nothing to check without `--plugin`.
 */
import type { Fault, Info, Outcome, StaticCheck } from "../../internal/Check.ts"
import type { Subject } from "../../internal/Subject.ts"
import type { PluginFolder } from "../../plugin/PluginFolder.ts"

/** A fault of a file of the plugin; `at` says where in it. */
export interface FileFault extends Omit<Fault, "subject" | "where"> {
  readonly path: string
  readonly at?: string | undefined
}

/** Makes a check of what judges a folder. */
export const make = (
  info: Info,
  judge: (plugin: PluginFolder, subject: Subject) => ReadonlyArray<FileFault> | { readonly notSeen: string },
  note?: (plugin: PluginFolder) => string
): StaticCheck => ({
  info,
  run: (subject): Outcome => {
    const { name, plugin } = subject
    if (plugin === undefined) return { notApplicable: "the audit was given no plugin's folder (--plugin)" }
    const judged = judge(plugin, subject)
    if ("notSeen" in judged) return judged
    const faults = judged.map(({ at, path, ...fault }) => ({
      ...fault,
      subject: name,
      where: at === undefined || at === "" ? path : `${path}: ${at}`
    }))
    return { faults, ...(note !== undefined && { note: note(plugin) }) }
  }
})
