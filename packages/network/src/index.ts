/**
 * How Waltz's stores reach HTTP servers: agents with their own connections, through a proxy where one is set, trusting an authority of
 * one's own where one is given, and closed with the store that made them.
 */
export { createHttpAgents, type HttpAgents, type HttpAgentOptions } from './http-agents.ts'
export { isExemptFromProxy } from './no-proxy.ts'
export { faultCodes } from './fault-codes.ts'
