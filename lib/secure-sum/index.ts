/** Sums that show their total and nothing else: Bonawitz et al. 2017, for a server that follows the protocol. */
export { MOST_SUM_CLIENTS, SecureSumClient, type SecureSumClientOptions } from './client.js';
export { type Messages, SecureSumServer, type SecureSumServerOptions } from './server.js';
