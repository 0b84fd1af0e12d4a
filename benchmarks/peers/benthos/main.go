// Benthos, the engine of Redpanda Connect, with a mapping: Kafka in, priced by a table, rows posted to ClickHouse.
//
// Its own Kafka input is not under an open-source licence, so there is a small one here, on franz-go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "peers.usage"

// What peers.py says: where Kafka and ClickHouse are, the table, and USD per million tokens by provider and model.
type settings struct {
	Kafka      string
	ClickHouse struct {
		Host, Username, Password, Database string
		Port                               int
	}
	Table  string
	Prices map[string]map[string]float64
}

type input struct {
	brokers string
	client  *kgo.Client
}

func (in *input) Connect(context.Context) (err error) {
	in.client, err = kgo.NewClient(kgo.SeedBrokers(in.brokers), kgo.ConsumerGroup("benthos"),
		kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	return err
}

func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	fetches := in.client.PollRecords(ctx, 10_000)
	if err := fetches.Err(); err != nil {
		return nil, nil, err
	}
	records := fetches.Records()
	batch := make(service.MessageBatch, len(records))
	for i, record := range records {
		batch[i] = service.NewMessage(record.Value)
	}
	return batch, func(ctx context.Context, err error) error {
		if err != nil {
			return err
		}
		return in.client.CommitRecords(ctx, records...)
	}, nil
}

func (in *input) Close(context.Context) error {
	in.client.Close()
	return nil
}

const stream = `
input:
  topic: {}
pipeline:
  processors:
    - mapping: |
        let prices = %s
        let price = $prices.get((this.provider + "/" + this.sku).replace_all(".", "~1")) # a dot would be a path
        let used = this.usage
        root.id = this.id
        root.time = this.time
        root.team = this.team
        root.project = this.project
        root.user = this.user
        root.provider = this.provider
        root.sku = this.sku
        let input = ($used.input_tokens - $used.cache_read_tokens) * $price.input
        let rest = $used.cache_read_tokens * $price.cache_read + $used.output_tokens * $price.output
        root.cost = ($input + $rest) / 1000000
output:
  http_client:
    url: %q
    verb: POST
    basic_auth: {enabled: true, username: %q, password: %q}
    batching:
      count: 10000
      period: 500ms
      processors: [{archive: {format: lines}}]
logger: {level: WARN}
`

func run() error {
	var said settings
	if err := json.Unmarshal([]byte(os.Getenv("PEER")), &said); err != nil {
		return err
	}
	register := func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
		return &input{brokers: said.Kafka}, nil
	}
	if err := service.RegisterBatchInput("topic", service.NewConfigSpec(), register); err != nil {
		return err
	}
	prices, err := json.Marshal(said.Prices)
	if err != nil {
		return err
	}
	ask := url.Values{
		"query":                  {"INSERT INTO " + said.Table + " FORMAT JSONEachRow"},
		"database":               {said.ClickHouse.Database},
		"date_time_input_format": {"best_effort"},
	}
	address := fmt.Sprintf("http://%s:%d/?%s", said.ClickHouse.Host, said.ClickHouse.Port, ask.Encode())
	builder := service.NewStreamBuilder()
	text := fmt.Sprintf(stream, prices, address, said.ClickHouse.Username, said.ClickHouse.Password)
	if err := builder.SetYAML(text); err != nil {
		return err
	}
	flow, err := builder.Build()
	if err != nil {
		return err
	}
	return flow.Run(context.Background())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
