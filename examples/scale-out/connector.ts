/**
 * How an instance is audited. It serves the tools and handlers of the service desk, and so its audit is that one's, over a
 * desk in memory. What is an instance's own, the databases that all of them share, is what main.integration.test.ts proves.
 */
export { default } from "../service-desk/connector.ts"
