export * as IdempotencyStoreContract from "./IdempotencyStoreContract.ts"
export * as TestClient from "./TestClient.ts"
