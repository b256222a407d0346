// PostGraphile on the schema "peers", as a contestant: it reads what to be from
// the first line of its standard input, writes where it answers, and ends with
// its input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const input = createInterface({ input: process.stdin });
input.on("close", () => process.exit(0));
input.once("line", async (line) => {
	const role = JSON.parse(line);
	const instance = postgraphile({
		extends: [PostGraphileAmberPreset],
		pgServices: [
			makePgService({ connectionString: role.dsn, poolConfig: { max: role.connections }, schemas: ["peers"] }),
		],
		schema: { defaultBehavior: "+connection +list" },
		grafserv: { graphiql: false, websockets: false, watch: false },
		grafast: { explain: false },
	});
	await instance.getSchema();
	const server = createServer();
	await instance.createServ(grafserv).addTo(server);
	server.listen(0, "127.0.0.1", () => {
		console.log(JSON.stringify({ graph: `127.0.0.1:${server.address().port}` }));
	});
});
