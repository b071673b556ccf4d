/** Reads a workflow of GitHub Actions with GitHub's own parser. */
import { registerHooks } from "node:module"

// The parser imports JSON without saying so, as bundlers take it and Node does not.
const hooks = registerHooks({
  load: (url, context, next) =>
    next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context)
})
const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import("@actions/workflow-parser")
hooks.deregister()

export interface Workflow {
  /** Why GitHub would refuse it. */
  readonly faults: ReadonlyArray<string>
  /** What its steps run, in their order. */
  readonly commands: ReadonlyArray<string>
}

/** Reads the text of a workflow. */
export const read = async (content: string): Promise<Workflow> => {
  const { context, value } = parseWorkflow({ name: "workflow.yml", content }, new NoOperationTraceWriter())
  const workflow = value === undefined ? undefined : await convertWorkflowTemplate(context, value)
  const faults = context.errors.getErrors().map(({ message }) => message)
  // What has a fault has no jobs.
  const jobs = faults.length > 0 ? [] : (workflow?.jobs ?? [])
  const steps = jobs.flatMap((job) => (job.type === "job" ? job.steps : []))
  return { faults, commands: steps.flatMap((step) => ("run" in step ? [step.run.toDisplayString()] : [])) }
}
