export * as Audit from "./Audit.ts"
export * as Report from "./Report.ts"
