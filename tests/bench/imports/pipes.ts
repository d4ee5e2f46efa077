import "@p2pd/pipes";
